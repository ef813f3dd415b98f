import re
from base64 import b64decode
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from tests.reporting.example_results import Page, recorded_result, ring_result

from spikeweft.data.connectivity import Connectivity
from spikeweft.evaluation.circuit_error import inference_error
from spikeweft.reporting.explorer import SCRIPT
from spikeweft.reporting.model_in_words import model_in_words
from spikeweft.reporting.result_figures import errors, matrices, training
from spikeweft.reporting.result_page import build_report
from spikeweft.reporting.result_view import View
from spikeweft.results.result import read_result, write_result

ATTACK = "<script>alert(1)</script>"
MEGABYTE = 1e6
OUR_SCRIPTS = [{"type": "application/json", "id": "explorer-data"}, {}]
"""Data, which does not run, and the one script, which runs by its hash."""


def test_the_page_loads_nothing_from_anywhere(html):
    page = Page(html)
    sources = [
        attributes[name]
        for _, attributes in page.elements
        for name in attributes
        if name in ("src", "srcset", "data", "poster", "action")
    ]
    assert sources
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert all(link["href"].startswith("#") for link in page.all("a"))
    assert page.all("script") == OUR_SCRIPTS
    assert not re.search(r"fetch|import|XMLHttpRequest|WebSocket|sendBeacon", SCRIPT)
    assert not {"link", "iframe", "object", "embed", "form"} & {tag for tag, _ in page.elements}
    assert not re.search(r"@import|url\(", html)
    policy = page.all("meta")[2]
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert policy["content"].startswith("default-src 'none'")


def test_every_figure_is_told_in_words_and_every_section_has_its_heading(html):
    page = Page(html)
    images = page.all("img")
    assert len(images) == len(page.all("figcaption")) == 6
    assert all(len(image["alt"]) > 20 for image in images)
    headings = {heading["id"] for heading in page.all("h2")}
    assert headings == {section["aria-labelledby"] for section in page.all("section")}
    assert len(page.all("h1")) == 1


def test_the_numbers_of_a_known_circuit_are_in_the_page(ring_html):
    text = Page(ring_html).text
    metrics = ring_result().metrics
    for name in ("delta", "bits_per_spike", "oracle_bits_per_spike", "glm_bits_per_spike"):
        assert f"{metrics[name]:.3f}" in text
    assert "2,998,731 spikes" in text
    assert "99.4 % of it" in text
    assert "100 of 100 neurons" in text
    assert "Scored on: the last tenth of the recorded time." in text
    assert "side troughs" in text
    assert "Before you believe this" not in text


def test_an_unknown_circuit_is_said_to_be_unknown(recorded_html):
    text = Page(recorded_html).text
    assert "true wiring not known" in text
    assert "For this recording it is not." in text
    assert "Oracle" not in text
    assert "nothing can be said about it" in text
    assert "The orange line is the recorded direction" in text


def test_pairs_never_active_together_are_counted(recorded_html):
    error = recorded_result().connectivity.standard_error
    n_pairs = int(np.isinf(error[~np.eye(19, dtype=bool)]).sum())
    assert n_pairs > 0
    text = Page(recorded_html).text
    assert f"So it is for {n_pairs} pairs, shown in grey." in text
    assert f"say less than what is assumed beforehand ({n_pairs} of them)" in text


def test_where_all_pairs_are_informed_none_is_said_to_be_grey(ring_html):
    assert "So it is for" not in Page(ring_html).text


def test_text_from_files_is_shown_and_never_run():
    result = recorded_result()
    ids = (ATTACK, *result.connectivity.neuron_ids[1:])
    result = replace(
        result,
        connectivity=replace(result.connectivity, neuron_ids=ids, metadata={ATTACK: ATTACK}),
        sample=replace(result.sample, neuron_ids=ids),
        metrics={**result.metrics, "null": ATTACK, ATTACK: 1.0, "bits_per_spike": ATTACK},
        history=[replace(result.history[0], stage=ATTACK)],
        warnings=[ATTACK],
        provenance={"recording": ATTACK, "command": f"infer '{ATTACK}' --", ATTACK: {ATTACK: 1}},
    )
    html = build_report(result)
    page = Page(html)
    assert page.all("script") == OUR_SCRIPTS
    assert "<script>alert" not in html
    assert page.text.count(ATTACK) >= 8
    for image in page.all("img"):
        svg = b64decode(image["src"].partition(",")[2]).decode()
        assert "script" not in {
            element.tag.rpartition("}")[2] for element in ElementTree.fromstring(svg).iter()
        }


def test_the_page_renders_without_any_one_of_its_metrics(unillustrated):
    result = ring_result(12)
    for missing in result.metrics:
        metrics = {name: value for name, value in result.metrics.items() if name != missing}
        assert "<h1>" in build_report(replace(result, metrics=metrics))


@pytest.mark.parametrize("nonsense", [None, "many", [1.0] * 12, {"a": [None]}])
def test_the_page_renders_with_nonsense_for_metrics(unpainted, nonsense):
    result = ring_result(12)
    metrics = dict.fromkeys(result.metrics, nonsense)
    assert "<h1>" in build_report(replace(result, metrics=metrics))


def test_a_bare_result_still_makes_a_page(unpainted):
    result = ring_result(12)
    bare = replace(
        result,
        connectivity=Connectivity(weights=np.zeros((12, 12))),
        glm=None,
        truth=None,
        metrics={},
        history=[],
        sample=replace(result.sample, preferred_angle_rad=None),
        provenance={},
    )
    page = Page(build_report(bare))
    assert [heading["id"] for heading in page.all("h2")] == [
        "numbers",
        "spikes",
        "circuit",
        "explore",
        "limits",
        "provenance",
    ]
    assert "sorted by the inferred circuit" in page.text


@pytest.mark.parametrize(
    ("metrics", "warning"),
    [
        ({"bits_per_spike": -0.1}, "no better than constant rates"),
        ({"bits_per_spike": 0.5, "glm_bits_per_spike": 0.6}, "GLM predicts test spikes better"),
        ({"delta": 0.4, "glm_delta": 0.3}, "GLM's circuit is closer to the truth"),
    ],
)
def test_a_result_that_should_not_be_believed_says_so(unillustrated, metrics, warning):
    assert warning in Page(build_report(replace(ring_result(12), metrics=metrics))).text


@pytest.mark.parametrize(
    ("bits", "said"), [(1.286, "reaches 99.4 % of it"), (1.3, "about all of it"), (-0.1, None)]
)
def test_how_much_of_the_oracle_is_reached_is_said_where_it_is_a_part(unillustrated, bits, said):
    result = ring_result(12)
    page = build_report(replace(result, metrics={**result.metrics, "bits_per_spike": bits}))
    assert ("spikeweft reaches" in page) == (said is not None)
    assert said is None or said in page


def test_a_glm_as_near_to_the_truth_as_can_be_shown_is_no_warning(unillustrated):
    metrics = {"delta": 0.3001, "glm_delta": 0.2999}
    assert "closer to the truth" not in build_report(replace(ring_result(12), metrics=metrics))


def test_what_a_prediction_falls_short_of_stands_first(unillustrated):
    metrics = {"bits_per_spike": -0.1, "glm_bits_per_spike": 0.6}
    html = build_report(replace(ring_result(12), metrics=metrics))
    assert html.count('class="notice"') == 2
    assert html.index("</header>") < html.index('class="notice"') < html.index("<section")


MODEL = {
    "tau_s": 0.0098,
    "latency_s": 0.002,
    "synaptic_kernel": "9.8 ms after 2 ms",
    "link_power": 1.0,
    "link_bend": 22.0,
}


@pytest.mark.parametrize(
    ("structure", "words"),
    [
        ("free weights", "held-out spikes do not speak for a common pattern"),
        ("free weights, structure not tried", "have a common pattern was not tried"),
        ("free weights, exponential link (a Poisson GLM)", "the rate is exponential"),
        ("symmetric pair network, 6 dimensions", "the same both ways"),
        ("directed pair network, 3 dimensions", "as sender and as receiver"),
        ("no coupling", "no neuron acts on another"),
    ],
)
def test_the_kind_of_model_is_told_in_words(unillustrated, structure, words):
    result = ring_result(12)
    known = {**MODEL, "structure": structure}
    text = Page(
        build_report(replace(result, connectivity=replace(result.connectivity, metadata=known)))
    ).text
    assert f"Weights: {structure}" in text
    assert words in text
    acts = structure != "no coupling"  # else there is nothing that the kernel would carry
    assert ("Synaptic kernel: 9.8 ms after 2 ms" in text) == acts
    assert ("acts after 2 ms, and then for 9.8 ms" in text) == acts
    assert "almost zero below a threshold" in text


@pytest.mark.parametrize(
    ("bend", "power", "words"),
    [(-16.0, 1.0, "as in a Poisson GLM"), (1.5, 2.5, "with its power 2.5 where drives are strong")],
)
def test_the_link_is_told_in_words(bend, power, words):
    ((_, _, said),) = model_in_words({"link_bend": bend, "link_power": power})
    assert words in said


def test_where_colours_saturate_is_said_as_it_was_chosen(unpainted):
    view = View.of(replace(ring_result(12), truth=None, glm=None))
    assert matrices(view).caption.endswith(", the 99th percentile of |weight|.")
    one_synapse = np.zeros((12, 12))
    one_synapse[1, 2] = -0.3
    few = replace(view, inferred=Connectivity(weights=one_synapse))
    assert "saturate at ±0.3, the largest |weight|, as nearly all are 0." in matrices(few).caption
    none = replace(view, inferred=Connectivity(weights=np.zeros((12, 12))))
    assert "saturate nowhere, as all weights are 0." in matrices(none).caption


def test_hidden_neurons_that_were_kept_are_told_in_words():
    tried = {"n_hidden": 3, "held_out_nats_gained_by_hidden_neurons": 12.4}
    ((label, value, meaning),) = model_in_words(tried)
    assert (label, value) == ("Hidden neurons", "3")
    assert "by 12.4 nats" in meaning
    assert model_in_words({**tried, "held_out_nats_gained_by_hidden_neurons": 0.0}) == []


def test_a_circuit_without_any_coupling_makes_a_page(unpainted):
    """Nothing is divided by its weights, which are all zero."""
    result = ring_result(12)
    circuit = replace(
        result.connectivity,
        weights=np.zeros((12, 12)),
        standard_error=np.where(np.eye(12), np.inf, 0.01),
        metadata={"structure": "no coupling"},
    )
    error = inference_error(circuit, result.truth)
    assert error.delta == 1.0
    text = Page(build_report(replace(result, connectivity=circuit))).text
    assert "No coupling between neurons was found" in text
    assert "nan" not in text.replace("\n", " ").split()
    assert "none for spikeweft" in text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["speed", "yaw"], "Like the model, it was given speed, yaw."),
        ([], "It was not given speed, yaw, which the model was."),
    ],
)
def test_the_page_says_what_the_glm_was_given(unillustrated, given, said):
    known = {"covariates": ["speed"], "rotated_by": "yaw", "glm_covariates": given}
    assert said in build_report(replace(ring_result(), provenance=known))
    assert "given" not in build_report(ring_result()).partition("Poisson GLM")[2][:300]


def test_interchanged_excitation_and_inhibition_are_noticed(unillustrated):
    result = ring_result(12)
    circuit = replace(result.connectivity, weights=-result.connectivity.weights)
    text = Page(build_report(replace(result, connectivity=circuit))).text
    assert "Excitation and inhibition are interchanged" in text


def test_a_result_and_its_files_give_the_same_page(recorded_html, tmp_path):
    write_result(tmp_path, recorded_result())
    assert build_report(read_result(tmp_path)) == recorded_html


def test_three_hundred_neurons_fit_in_five_megabytes():
    assert len(build_report(ring_result(300)).encode()) < 5 * MEGABYTE


@pytest.mark.slow
@pytest.mark.browser
def test_a_browser_shows_the_page_without_a_complaint(html, chromium, tmp_path):
    page = tmp_path / "report.html"
    page.write_text(html, encoding="utf-8")
    picture = tmp_path / "page.png"
    _, log = chromium("--window-size=1200,4000", f"--screenshot={picture}", page.as_uri())
    # The page's own policy forbids every request, and a request it forbids is a console message.
    assert "CONSOLE" not in log
    assert picture.stat().st_size > 0.1 * MEGABYTE


@pytest.mark.slow
@pytest.mark.browser
def test_a_request_for_a_foreign_file_would_be_noticed(ring_html, chromium, tmp_path):
    page = tmp_path / "report.html"
    foreign = '<img src="http://127.0.0.1:9/spy.png" alt="">'
    page.write_text(ring_html.replace("<main", f"{foreign}<main"), encoding="utf-8")
    _, log = chromium("--dump-dom", page.as_uri())
    assert "CONSOLE" in log
    assert "Content Security Policy" in log


@pytest.mark.slow
@pytest.mark.browser
def test_the_page_lets_its_own_script_run_and_no_other(ring_html, chromium, tmp_path):
    page = tmp_path / "report.html"
    page.write_text(ring_html.replace("<main", "<script>alert(1)</script><main"), "utf-8")
    dom, log = chromium("--dump-dom", page.as_uri())
    assert re.search(r'<output id="explorer-pair"[^>]*>from ', dom)
    assert "Content Security Policy" in log


def test_how_much_all_others_explain_is_said_of_all_and_of_each(unillustrated):
    result = recorded_result()
    shares = [None, *(np.arange(18) / 100)]
    told = replace(result, metrics={**result.metrics, "state_share_per_neuron": shares})
    html = build_report(told)
    assert "explains 8 % of a typical neuron's spike counts (2 to 15 % of most" in Page(html).text
    assert "<td>17</td>" in html
    assert "What all others do together" not in Page(build_report(result)).text


def test_a_direction_just_below_a_full_turn_is_none(unillustrated):
    result = ring_result(5)
    circuit = replace(result.connectivity, angle_rad=np.deg2rad([359.6, 359.4, 90.0, 0.0, 180.0]))
    shown = build_report(replace(result, connectivity=circuit, truth=None, glm=None))
    assert "<td>360</td>" not in shown
    assert "<td>359</td>" in shown


def test_a_neuron_about_whose_inputs_nothing_is_known_has_no_strongest_input(unillustrated):
    result = ring_result(5)
    error = np.ones((5, 5))
    error[2] = np.inf
    circuit = replace(result.connectivity, standard_error=error)
    html = build_report(replace(result, connectivity=circuit))
    rows = re.findall(r"<tr><th scope=\"row\">(\d)</th>(.*?)</tr>", html)
    last = {name: re.findall(r"<td>(.*?)</td>", cells)[-2:] for name, cells in rows}
    assert last["2"] == ["–", "–"]
    assert "–" not in last["1"]


@pytest.mark.parametrize(
    ("seconds", "said"), [(60.0, "60 s"), (480.0, "8 min"), (17 * 3600.0, "17 h")]
)
def test_the_length_of_a_recording_is_said_in_a_unit_that_suits_it(unillustrated, seconds, said):
    result = ring_result(5)
    page = build_report(replace(result, metrics={**result.metrics, "duration_s": seconds}))
    assert f"<span>{said}</span>" in page


def test_no_training_is_shown_of_a_model_that_weighs_connections():
    """It takes four steps, and sets nothing apart for stopping."""
    view = View.of(ring_result(12))
    assert training(view) is not None
    probable = replace(view.inferred, probability=np.full((12, 12), 0.1))
    assert training(replace(view, inferred=probable)) is None


def test_errors_of_a_networks_weights_are_said_to_be_those_of_free_weights():
    view = View.of(ring_result(12))
    error = view.inferred.standard_error.copy()
    error[0, 1] = np.inf
    known = {"structure": "symmetric pair network, 6 dimensions"}
    learned = replace(view.inferred, standard_error=error, metadata=known)
    shown = errors(replace(view, inferred=learned))
    assert "the 131 of 132 weights that the data inform" in shown.caption
    assert "standard error that a free weight would have in its place" in shown.caption
    assert "would give" not in shown.caption
    assert "noise alone" not in shown.ax.figure.axes[1].get_legend_handles_labels()[1]


def test_errors_of_probable_connections_are_not_compared_with_noise():
    view = View.of(ring_result(12))
    assert "noise alone would give 5 %" in errors(view).caption
    probable = replace(view.inferred, probability=np.full((12, 12), 0.1))
    assert "all 132 weights" in errors(view).caption
    caption = errors(replace(view, inferred=probable)).caption
    assert "would give" not in caption
    assert "posterior standard deviation" in caption
