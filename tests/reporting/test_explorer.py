import re
from dataclasses import replace

import numpy as np
import pytest
from tests.reporting.browser import HOVER, look_around
from tests.reporting.example_results import Page, ring_result

from spikeweft.data.connectivity import Connectivity
from spikeweft.errors import InputError
from spikeweft.evaluation.circuit_error import inference_error
from spikeweft.reporting.explorer import explorer, left_out
from spikeweft.reporting.plot_circuits import weight_limit
from spikeweft.reporting.result_page import build_report
from spikeweft.reporting.result_view import View

ATTACK = "<script>alert(1)</script>"


@pytest.mark.slow
@pytest.mark.browser
def test_a_weight_is_read_out_under_the_pointer(chromium, tmp_path):
    result = ring_result(12)
    said = look_around(build_report(result), chromium, tmp_path, HOVER % (12, 5, 3))
    scale = inference_error(result.connectivity, result.truth).scale
    weight = scale * result.connectivity.weights[3, 5]
    error = abs(scale) * result.connectivity.standard_error[3, 5]
    names = result.connectivity.neuron_ids
    assert said.startswith(f"from {names[5]} to {names[3]}\n")
    read = re.search(r": ([+\u2212]?[\d.e\u2212]+) ± (\S+) \(standard error\)", said)
    weight_read, error_read = (float(part.replace("\u2212", "-")) for part in read.groups())
    assert weight_read == pytest.approx(weight, rel=6e-3)
    assert error_read == pytest.approx(error, rel=6e-3)


@pytest.mark.slow
@pytest.mark.browser
def test_neurons_are_reordered_and_the_pair_stays_in_its_place(chromium, tmp_path):
    order = np.roll(np.arange(12), 5)
    result = ring_result(12)
    shuffled = replace(result.connectivity, angle_rad=result.connectivity.angle_rad[order])
    html = build_report(replace(result, connectivity=shuffled, truth=None))
    by_angle = np.argsort(shuffled.angle_rad)
    names = shuffled.neuron_ids
    said = look_around(html, chromium, tmp_path, HOVER % (12, 1, 0))
    assert said.startswith(f"from {names[by_angle[1]]} to {names[by_angle[0]]}\n")
    choose = """
    const order = document.getElementById("explorer-order");
    order.value = [...order.options].find((o) => o.text === "place in the recording").value;
    order.dispatchEvent(new Event("change"));
    """
    said = look_around(html, chromium, tmp_path, HOVER % (12, 1, 0) + choose)
    assert said.startswith(f"from {names[1]} to {names[0]}\n")


@pytest.mark.slow
@pytest.mark.browser
def test_a_malicious_name_is_read_out_as_text(chromium, tmp_path):
    result = ring_result(4)
    names = (ATTACK, *result.connectivity.neuron_ids[1:])
    circuit = replace(result.connectivity, neuron_ids=names)
    html = build_report(replace(result, connectivity=circuit, glm=None, truth=None))
    assert "<script>alert" not in html
    said = look_around(html, chromium, tmp_path, HOVER % (4, 0, 1))
    assert said.startswith("from &lt;script&gt;alert(1)&lt;/script&gt; to ")


def test_orders_to_choose_from_hold_every_neuron_once():
    shown = explorer(View.of(ring_result(12)), {})
    names = [order["name"] for order in shown.data["orders"]]
    assert names[-1] == "place in the recording"
    assert len(set(names)) == len(names) == 4
    for order in shown.data["orders"]:
        assert sorted(order["neurons"]) == list(range(12))


def test_clusters_of_like_connections_are_neighbours():
    rng = np.random.default_rng(3)
    group = rng.permutation(np.repeat([0, 1, 2], 6))
    weights = (group[:, None] == group) + 0.1 * rng.normal(size=(18, 18))
    circuit = Connectivity(weights=weights)
    result = replace(ring_result(18), connectivity=circuit, glm=None, truth=None)
    orders = explorer(View.of(result), {}).data["orders"]
    (clustered,) = (o["neurons"] for o in orders if o["name"] == "clusters of like connections")
    assert np.count_nonzero(np.diff(group[clustered])) == 2


def test_circuits_that_would_make_the_page_too_large_are_left_out(monkeypatch):
    view = View.of(ring_result(12))
    n_bytes = len(explorer(view, {}).data["circuits"][0]["weights"])
    monkeypatch.setattr("spikeweft.reporting.explorer._LARGEST_BYTES", 3 * n_bytes)
    shown = explorer(view, {})
    assert [circuit["name"] for circuit in shown.data["circuits"]] == ["spikeweft", "truth"]
    assert shown.note == "Left out, to keep this page small: GLM."
    monkeypatch.setattr("spikeweft.reporting.explorer._LARGEST_BYTES", n_bytes - 1)
    assert explorer(view, {}).data is None
    page = Page(build_report(ring_result(12)))
    assert not page.all("canvas")
    assert "Left out, to keep this page small: spikeweft, truth, GLM." in page.text


def test_errors_are_left_out_before_a_circuit_is(monkeypatch):
    view = View.of(ring_result(12))
    n_bytes = len(explorer(view, {}).data["circuits"][0]["weights"])
    monkeypatch.setattr("spikeweft.reporting.explorer._LARGEST_BYTES", n_bytes)
    shown = explorer(view, {})
    (circuit,) = shown.data["circuits"]
    assert circuit["name"] == "spikeweft"
    assert circuit["errors"] == ""
    assert shown.note.endswith("Shown without errors, to keep it small: spikeweft.")


def test_a_reading_says_what_its_weight_and_its_error_are():
    view = View.of(ring_result(12))
    circuits = {c["name"]: c for c in explorer(view, {}).data["circuits"]}
    assert {name: c["scaled"] for name, c in circuits.items()} == {
        "spikeweft": " × α",
        "truth": "",
        "GLM": " × α",
    }
    assert circuits["spikeweft"]["error_name"] == "standard error"
    probable = replace(view.inferred, probability=np.full((12, 12), 0.1))
    weighed = explorer(replace(view, inferred=probable), {}).data["circuits"][0]
    assert weighed["error_name"] == "posterior standard deviation"


@pytest.mark.slow
@pytest.mark.browser
def test_two_results_are_compared_side_by_side(chromium, tmp_path):
    result = replace(ring_result(12), truth=None)
    stronger = replace(result.connectivity, weights=2 * result.connectivity.weights)
    html = build_report(result, {"night": replace(result, connectivity=stronger)})
    said = look_around(html, chromium, tmp_path, HOVER % (12, 5, 3)).splitlines()
    ours, other = (line.replace("\u2212", "-").split(" ± ")[0].split(": ") for line in said[1:3])
    assert (ours[0], other[0]) == ("spikeweft", "night")
    assert float(other[1]) == pytest.approx(2 * float(ours[1]), rel=1e-2)


@pytest.mark.parametrize("name", ["spikeweft", "truth", "GLM", "night"])
def test_another_result_takes_the_place_of_no_circuit_whatever_its_folder_is_called(name):
    view = View.of(ring_result(12))
    alone = [circuit["name"] for circuit in explorer(view, {}).data["circuits"]]
    shown = [circuit["name"] for circuit in explorer(view, {name: view}).data["circuits"]]
    assert len(set(shown)) == len(shown) == 4
    assert [one for one in shown if one in alone] == alone
    assert shown[1].startswith(name)


def test_the_colours_of_another_result_end_at_its_own_largest_weights():
    """Without a truth it is in its model's own unit, a hundred times the truth's here."""
    ours = ring_result(12)
    other = replace(ours, truth=None)
    circuits = explorer(View.of(ours), {"night": View.of(other)}).data["circuits"]
    limits = {circuit["name"]: circuit["limit"] for circuit in circuits}
    assert limits["night"] == pytest.approx(weight_limit(other.connectivity))
    assert limits["spikeweft"] == limits["truth"] < 0.1 * limits["night"]


def test_what_of_another_result_does_not_fit_is_said(monkeypatch):
    view = View.of(ring_result(12))
    n_bytes = len(explorer(view, {}).data["circuits"][0]["weights"])
    monkeypatch.setattr("spikeweft.reporting.explorer._LARGEST_BYTES", 3 * n_bytes)
    shown = explorer(view, {"night": view})
    assert [circuit["name"] for circuit in shown.data["circuits"]] == ["spikeweft", "night"]
    note = (
        "Left out, to keep this page small: truth, GLM. Shown without errors, to keep it small: "
        "night."
    )
    assert shown.note == left_out(ring_result(12), {"night": ring_result(12)}) == note


def test_results_of_other_neurons_are_not_compared(unillustrated):
    ours, other = ring_result(12), ring_result(13)
    with pytest.raises(InputError, match="night cannot be shown beside this result: neuron '12'"):
        build_report(ours, {"night": other})
    turned = replace(ours.connectivity, neuron_ids=ours.connectivity.neuron_ids[::-1])
    with pytest.raises(InputError, match="in another order"):
        build_report(ours, {"night": replace(ours, connectivity=turned)})
