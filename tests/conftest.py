"""What every test may use."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real advisory data that stands beside the checkout (`VERTICE_SHARED` names another place)."""
    root = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("VERTICE_SHARED", root.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.fail(f"{folder} has no data/: the advisory data the tests read is missing; set VERTICE_SHARED")
    return folder
