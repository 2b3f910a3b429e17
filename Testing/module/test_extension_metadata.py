"""The catalogue entries and the CMake files say the same, and what the Extensions Index asks for is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

SCHEMA = (
    "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/slicer-extension-catalog-entry-schema-v1.0.2.json#"
)
REQUIRED = {"$schema": str, "category": str, "scm_url": str}
OPTIONAL = {"scm_revision": str, "build_dependencies": list, "build_subdirectory": str, "enabled": bool, "tier": int}
SHARED = ("homepage", "category", "contributors", "description", "iconurl", "screenshoturls", "depends")
RAW = "https://raw.githubusercontent.com/SpineQuant/SpineQuant/main/"


def keyed_lines(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    pairs = [line.partition(" ")[::2] for line in lines]
    assert len(dict(pairs)) == len(pairs), "a keyword occurs twice"
    return dict(pairs)


@pytest.fixture
def entry(root) -> dict:
    return json.loads((root / "SpineQuant.json").read_text(encoding="utf-8"))


@pytest.fixture
def description(root) -> dict[str, str]:
    return keyed_lines(root / "SpineQuant.s4ext")


def test_entry_follows_the_schema(entry):
    assert entry["$schema"] == SCHEMA
    assert REQUIRED.keys() <= entry.keys() <= REQUIRED.keys() | OPTIONAL.keys()
    assert all(type(value) is {**REQUIRED, **OPTIONAL}[key] for key, value in entry.items())
    assert entry["category"] in {"Quantification", "Segmentation"}
    assert 1 <= entry["tier"] <= 5


def test_entry_and_description_say_the_same(entry, description):
    assert description["scm"] == "git"
    assert description["scmurl"] == entry["scm_url"]
    assert description["scmrevision"] == entry["scm_revision"]
    assert description["depends"].split() == entry["build_dependencies"]
    assert description["build_subdirectory"] == entry.get("build_subdirectory", ".")
    assert description["category"] == entry["category"]
    assert int(description["tier"]) == entry["tier"]
    assert bool(int(description["enabled"])) == entry.get("enabled", True)


def test_cmake_says_the_same(build_tree, description):
    built = keyed_lines(build_tree / "metadata.txt")
    assert built["project"] == "SpineQuant", "the name of the project must be that of the catalogue's files"
    assert {key: built[key] for key in SHARED} == {key: description[key] for key in SHARED}


@pytest.mark.parametrize(("key", "size"), [("iconurl", (128, 128)), ("screenshoturls", None)])
def test_pictures_of_the_catalogue_exist(root, description, key, size):
    for url in description[key].split():
        assert url.startswith(RAW)
        content = (root / url.removeprefix(RAW)).read_bytes()
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        found = int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
        assert found == size if size else min(found) >= 400


def test_licence_and_readme_lie_where_slicer_packages_them_from(root):
    assert "Apache License" in (root / "LICENSE").read_text(encoding="utf-8")
    assert (root / "README.md").is_file()
