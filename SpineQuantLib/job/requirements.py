"""Which packages are missing, found out without importing any of them."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["ENGINE_REQUIREMENTS", "PYTORCH", "missing_requirements", "read_requirements"]


PYTORCH = "torch>=2.6"
"""Comes through Slicer's extension PyTorch, which chooses the build that fits the machine."""

ENGINE_REQUIREMENTS = (
    PYTORCH,
    "numpy>=1.26",
    "scipy>=1.12",
    "SimpleITK>=2.4",
    "psutil>=5.9",
    "scikit-image>=0.22",
    "pandas>=2.1",
    "openpyxl>=3.1",
    "reportlab>=4.2",
    "Jinja2>=3.1",
    "matplotlib>=3.8",
    "monai>=1.5",
    "safetensors>=0.4",
)
"""What the engine's Python must have, whichever it is."""


def read_requirements(path: Path) -> list[str]:
    """Requirements of a ``requirements.txt`` of plain lines and comments."""
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def missing_requirements(requirements: list[str]) -> list[str]:
    """Return those that this Python does not fulfil, in order.

    Raises
    ------
    packaging.requirements.InvalidRequirement
        For a line that is no requirement.
    """
    from packaging.requirements import Requirement

    missing = []
    for line in requirements:
        requirement = Requirement(line)
        try:
            fulfilled = requirement.specifier.contains(version(requirement.name), prereleases=True)
        except PackageNotFoundError:
            fulfilled = False
        if not fulfilled:
            missing.append(line)
    return missing
