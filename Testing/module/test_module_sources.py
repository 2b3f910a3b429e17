"""What can be known about the Slicer module without Slicer: its sources, its form, and how they fit together."""

from __future__ import annotations

import ast
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli", reason="reading pyproject.toml needs Python 3.11")

# Slicer's own, those of Python, and what Slicer brings.
ALLOWED = {"slicer", "qt", "ctk", "vtk", "numpy", "packaging", "SimpleITK", "SpineQuantLib", "SpineQuantPanel"}
# Other modules of Slicer, imported where they are used.
ALLOWED |= {"SampleData", "PyTorchUtils"}


@pytest.fixture(scope="module")
def module_file(root) -> Path:
    return root / "SpineQuant" / "SpineQuant.py"


@pytest.fixture(scope="module")
def tree(module_file) -> ast.Module:
    return ast.parse(module_file.read_text(encoding="utf-8"), str(module_file))


@pytest.fixture(scope="module")
def sections(module_file) -> list[ast.Module]:
    """The module and the sections of its panel."""
    files = [module_file, *sorted(module_file.parent.glob("SpineQuantPanel/*.py"))]
    return [ast.parse(file.read_text(encoding="utf-8"), str(file)) for file in files]


@pytest.fixture(scope="module")
def form(root) -> ElementTree.Element:
    return ElementTree.parse(root / "SpineQuant" / "Resources" / "UI" / "SpineQuant.ui").getroot()


def imported(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a scripted module is no package"
            found.add(node.module)
    return found


def classes(tree: ast.Module) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def attributes_of(tree: ast.AST, owner: str) -> set[str]:
    """Names used as ``self.OWNER.NAME``."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == owner
        and isinstance(node.value.value, ast.Name)
        and node.value.value.id == "self"
    }


def test_only_slicer_and_our_library_are_imported(sections):
    found = {name.split(".")[0] for tree in sections for name in imported(tree)}
    assert found - sys.stdlib_module_names <= ALLOWED


def test_every_name_from_the_library_exists(sections):
    """An import inside a function would otherwise fail only when a user presses the button."""
    statements = {
        ast.unparse(node)
        for tree in sections
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module.startswith("SpineQuantLib")
    }
    assert statements
    for statement in statements:
        exec(statement, {})


def test_what_the_desktop_imports_brings_no_torch(sections, root):
    """Checked in a fresh process, over everything that the module ever imports from the library."""
    modules = sorted({name for tree in sections for name in imported(tree) if name.startswith("SpineQuantLib")})
    code = f"import sys, {', '.join(modules)}; print([m for m in ('torch', 'monai') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_slicer_finds_the_classes_by_their_names(tree):
    found = classes(tree)
    bases = {name: ast.unparse(node.bases[0]) for name, node in found.items() if node.bases}
    for suffix in ("", "Widget", "Logic", "Test"):
        assert bases[f"SpineQuant{suffix}"] == f"ScriptedLoadableModule{suffix}"
    decorators = [ast.unparse(node) for node in found["SpineQuantParameterNode"].decorator_list]
    assert decorators == ["parameterNodeWrapper"]


def test_annotations_are_objects(tree):
    """Slicer's parameter nodes read the types of their members, which the future import would make text."""
    assert "__future__" not in imported(tree)


def test_form_is_named_like_the_module(form):
    assert form.findtext("class") == "SpineQuant"
    widgets = [widget.get("name") for widget in form.iter("widget")]
    assert len(set(widgets)) == len(widgets)


def test_every_widget_that_the_panel_speaks_of_is_in_the_form(sections, form):
    named = {widget.get("name") for widget in form.iter("widget")}
    used = set()
    for tree in sections:
        used |= attributes_of(tree, "ui")
        # Sections say ``ui.name`` where they hold the widgets under a short name.
        used |= {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ui"
        }
    assert {"applyButton", "queueButton", "progressBar", "verdictLabel", "acceptButton"} <= used
    assert used <= named


def test_every_button_and_selector_explains_itself(form):
    for widget in form.iter("widget"):
        if widget.get("class") in ("QPushButton", "QComboBox", "QCheckBox", "ctkPathLineEdit", "qMRMLNodeComboBox"):
            tip = widget.find("property[@name='toolTip']/string")
            # Apply says why it cannot be pressed, so its words are made as it goes.
            assert widget.get("name") == "applyButton" or (tip is not None and len(tip.text) > 10), widget.get("name")


def test_the_words_are_a_readers(form, sections):
    """Nothing that a radiologist would have to look up."""
    words = [string.text or "" for string in form.iter("string")]
    for tree in sections:
        words += [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    for word in ("tensor", "inference", "softmax", "logit", "CUDA"):
        assert not [text for text in words if word in text and text != "safetensors"], word


def test_every_parameter_has_a_widget_and_every_widget_a_parameter(tree, form):
    node = classes(tree)["SpineQuantParameterNode"]
    parameters = {item.target.id for item in node.body if isinstance(item, ast.AnnAssign)}
    bound = {
        widget.find("property[@name='SlicerParameterName']/string").text
        for widget in form.iter("widget")
        if widget.find("property[@name='SlicerParameterName']") is not None
    }
    assert parameters == bound


def test_custom_widgets_are_declared(form):
    declared = {widget.findtext("class") for widget in form.iter("customwidget")}
    used = {widget.get("class") for widget in form.iter("widget")}
    assert {name for name in used if not name.startswith("Q")} == declared


def test_every_scene_selector_is_given_the_scene(form):
    selectors = {w.get("name") for w in form.iter("widget") if w.get("class").startswith("qMRMLNode")}
    connected = {
        c.findtext("receiver") for c in form.iter("connection") if c.findtext("slot").startswith("setMRMLScene")
    }
    assert selectors
    assert connected == selectors


def test_choices_are_what_the_engine_understands(tree, sections):
    """The words of the selectors reach the pipeline unchanged."""
    from SpineQuantLib.anatomy.levels import split_level
    from SpineQuantLib.case.result import Contrast

    values = {
        node.targets[0].id: ast.literal_eval(node.value)
        for part in sections
        for node in part.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    }
    text = ast.unparse(tree)
    namespace = dict(values)
    lowest = next(n for n in tree.body if isinstance(n, ast.Assign) and n.targets[0].id == "LOWEST_DISCS")
    discs = eval(ast.unparse(lowest.value), namespace)
    assert discs[0] == values["AUTOMATIC"]
    for disc in discs[1:]:
        upper, lower = split_level(disc)
        assert f"{upper}-{lower}" == disc
    for contrast in Contrast:
        assert contrast is Contrast.UNKNOWN or f"'{contrast}'" in text


def test_requirements_are_those_of_the_project(root):
    """The same lower bounds, and never an exact version, which would fight with other extensions."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["engine"]]
    bounds = {Requirement(line).name: str(Requirement(line).specifier) for line in wanted}
    lines = (root / "SpineQuant" / "Resources" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert found
    assert {r.name: str(r.specifier) for r in found} == {r.name: bounds[r.name] for r in found}
    # numpy, scipy and SimpleITK come with Slicer, torch through its extension; the command line is not used there.
    assert bounds.keys() - {r.name for r in found} == {"numpy", "scipy", "SimpleITK", "torch", "typer", "rich"}


def test_bounds_of_the_engine_are_the_projects(root):
    from SpineQuantLib.job.requirements import ENGINE_REQUIREMENTS, PYTORCH

    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["engine"]]
    bounds = {Requirement(line).name: line for line in lines}
    assert bounds["torch"] == PYTORCH
    assert all(bounds[Requirement(line).name] == line for line in ENGINE_REQUIREMENTS)
    assert bounds.keys() - {Requirement(line).name for line in ENGINE_REQUIREMENTS} <= {"typer", "rich"}
