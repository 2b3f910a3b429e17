"""What the tests of this room share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def data_folder() -> Path:
    """Real MR volumes beside the repository; the test is skipped where they are absent."""
    folder = Path(__file__).resolve().parents[3] / "shared" / "data"
    if not (folder / "lumbar-mri" / "index.csv").is_file():
        pytest.skip("the shared MR volumes are not beside this checkout")
    return folder
