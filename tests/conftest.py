"""What several tests need: shape checks on every call, and data that may not be redistributed."""

import os
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import pytest
from beartype import beartype
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

# Before PyTorch is imported: where processors are shared, threads that split small tensors between
# them wait for each other, and some tests take thirty times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def check_types(function):
    """Check what a call takes and returns; beartype knows no `Self` outside a decorated class."""
    hints = getattr(function, "__annotations__", {})
    if not isinstance(function, type):
        hints.update({name: Any for name, hint in hints.items() if hint is Self})
    return beartype(function)


for profile, n_examples in (("quick", 15), ("full", 100)):
    settings.register_profile(
        profile,
        max_examples=n_examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )


# Types and shapes are checked on every call, except where only slow tests run: there the checks
# would take a third of the time. The hook comes before any other conftest imports the package;
# workers, which do not have the arguments, have the environment.
only_slow = any(a == "-m" and b.startswith("slow") for a, b in pairwise(sys.argv))
os.environ.setdefault("TYPES_ARE_CHECKED", "no" if only_slow else "yes")
if os.environ["TYPES_ARE_CHECKED"] == "yes":
    install_import_hook("spikeweft", "tests.conftest.check_types")


def pytest_configure(config: pytest.Config) -> None:
    """Property tests get many examples, except in the quick tier."""
    settings.load_profile("quick" if config.option.markexpr == "not slow" else "full")


SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


def learn_shortly(patch: pytest.MonkeyPatch) -> None:
    """Few steps for every network, where a test does not ask how good it is."""
    from spikeweft.circuit_gnn.structure_learning import network_fit

    patch.setattr(network_fit, "IMITATION_STEPS", 50)
    patch.setattr(network_fit, "LEARNING_STEPS", 50)


@pytest.fixture
def short_learning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few steps for every network of a test."""
    learn_shortly(monkeypatch)


@pytest.fixture
def shared_data() -> Path:
    """The folder of recordings that may not be redistributed; the test skips where it is not."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the recordings are not in {SHARED_DATA}: they may not be redistributed")
    return SHARED_DATA
