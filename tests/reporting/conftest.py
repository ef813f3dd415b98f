"""Rings to be drawn, axes to draw on, and pages to look at."""

import shutil
import subprocess

import numpy as np
import pytest
from tests.reporting.browser import QUIET
from tests.reporting.example_results import recorded_result, ring_result

from spikeweft.reporting import page as page_module
from spikeweft.reporting import result_page as builder
from spikeweft.reporting.ordering import NeuronOrder
from spikeweft.reporting.plot_style import panels
from spikeweft.reporting.result_page import build_report

PROFILES = {
    "Mexican hat, inhibition only": lambda d: (
        np.exp(-(d**2) / 2 / 6.98**2) - 1.0005 * np.exp(-(d**2) / 2 / 7.0**2)
    ),
    "excitation, surround inhibition": lambda d: (
        np.exp(-(d**2) / 200) - 0.6 * np.exp(-(d**2) / 1800)
    ),
    "broad inhibition": lambda d: 2.3e-3 * (np.exp(-(d**2) / 128) - 1),
}


def ring(n, profile):
    """Weights and angles of an even ring of n neurons, 100 units around."""
    distance = np.abs(np.arange(n)[:, None] - np.arange(n)) * 100 / n
    return PROFILES[profile](np.minimum(distance, 100 - distance)), 2 * np.pi * np.arange(n) / n


def one_axes():
    (ax,) = panels(["a title"], width_in=4.0, height_in=3.0)
    return ax


def in_order(neurons):
    return NeuronOrder(neurons=np.array(neurons))


@pytest.fixture(scope="module")
def ring_html():
    return build_report(ring_result())


@pytest.fixture(scope="module")
def recorded_html():
    return build_report(recorded_result())


@pytest.fixture
def unpainted(monkeypatch):
    """Figures are drawn but not painted, which takes most of the time."""
    monkeypatch.setattr(page_module, "as_svg", lambda ax: "<svg/>")


@pytest.fixture
def unillustrated(monkeypatch):
    """The page without its figures, where only its words are looked at."""
    monkeypatch.setattr(builder, "figures", lambda view: [])


@pytest.fixture(params=["ring_html", "recorded_html"])
def html(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def chromium(tmp_path):
    """Run headless Chromium with some more arguments; returns its standard output and error."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("Chromium is not installed, so no page can be looked at")

    def run(*arguments):
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        done = subprocess.run(
            [program, *QUIET, profile, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout, done.stderr

    return run
