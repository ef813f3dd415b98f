"""What several tests need: shape checks on every call, and the data that may not be in the repository."""

from pathlib import Path

import pytest
from jaxtyping import install_import_hook

install_import_hook("spikeweft", "beartype.beartype")

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture
def shared_data() -> Path:
    """The folder of recordings that may not be redistributed; the test skips where it is not."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the recordings are not in {SHARED_DATA}: they may not be redistributed")
    return SHARED_DATA
