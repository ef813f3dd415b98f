"""What several tests need: shape checks on every call, and data that may not be redistributed."""

import os
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


def pytest_configure(config: pytest.Config) -> None:
    """Types and shapes are checked on every call, except where only slow tests run.

    There the checks would take a third of the time. Property tests get many examples, except in the
    quick tier.
    """
    tests = config.option.markexpr
    settings.load_profile("quick" if tests == "not slow" else "full")
    if not tests.startswith("slow"):
        install_import_hook("spikeweft", "tests.conftest.check_types")


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
