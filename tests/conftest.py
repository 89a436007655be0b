"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Times differ from machine to machine, and the first call compiles. What decides about a change must say the same of
# it twice: there the examples are drawn from a seed.
settings.register_profile("unhurried", deadline=None)
settings.register_profile("decisive", deadline=None, derandomize=True)
settings.load_profile("decisive" if os.environ.get("CI", "").lower() == "true" else "unhurried")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data; with CI=true its absence is a failure, elsewhere a skip."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("VOLUMETRIC_DATA", beside))
    if not folder.is_dir():
        reason = f"the real data is not at {folder}; set VOLUMETRIC_DATA to its folder"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
