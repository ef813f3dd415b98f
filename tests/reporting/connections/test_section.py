import re
from dataclasses import replace

import numpy as np
import pytest
from tests.reporting.browser import HOVER
from tests.reporting.conftest import in_order, one_axes
from tests.reporting.example_results import Page, ring_result

from spikeweft.data.connectivity import Connectivity
from spikeweft.reporting.connections.plot_correlograms import named_correlograms
from spikeweft.reporting.connections.plot_graph import draw_graph
from spikeweft.reporting.connections.probable import ProbableConnections
from spikeweft.reporting.connections.section import connections_section
from spikeweft.reporting.result_page import build_report
from spikeweft.reporting.result_view import View
from spikeweft.results.correlograms import Correlograms

ATTACK = "<script>alert(1)</script>"
MEGABYTE = 1e6
OUR_SCRIPTS = [{"type": "application/json", "id": "explorer-data"}, {}]
"""Data, which does not run, and the one script, which runs by its hash."""


def sparse_result(n=12, n_connections=14):
    """Neurons of which one quarter inhibits; each connection is less probable than the last."""
    rng = np.random.default_rng(0)
    inhibits = np.arange(n) % 4 == 3
    post, pre = np.nonzero(~np.eye(n, dtype=bool))
    chosen = rng.choice(len(post), n_connections, replace=False)
    post, pre = post[chosen], pre[chosen]
    probability, weights = np.full((n, n), 0.01), np.zeros((n, n))
    probability[post, pre] = np.linspace(0.999, 0.51, n_connections)
    weights[post, pre] = np.where(inhibits[pre], -0.004, 0.004) * rng.uniform(0.5, 2, len(post))
    latency_s = np.where(probability > 0.5, 0.002, np.nan)
    circuit = Connectivity(
        weights=weights,
        standard_error=np.full((n, n), 2e-4),
        probability=probability,
        latency_s=latency_s,
        latency_sd_s=0.15 * latency_s,
        excitatory_probability=np.where(inhibits, 0.01, 0.99),
        neuron_ids=tuple(f"T1C{k}" for k in range(n)),
    )
    result = ring_result(n)
    return replace(
        result,
        connectivity=circuit,
        glm=None,
        truth=None,
        correlograms=correlograms_around(post, pre, rng),
        sample=replace(result.sample, preferred_angle_rad=None),
    )


def correlograms_around(post, pre, rng):
    """Coincidences of these pairs, which all have a synapse of 2 ms."""
    lags_s = 0.001 * np.arange(-40, 41)
    effect = np.where(lags_s >= 0.002, np.exp(-(lags_s - 0.002) / 0.003), 0.0)
    back = (post > pre)[:, None]
    null = np.full((len(post), len(lags_s)), 30.0)
    connected = null * np.exp(np.where(back, effect[::-1], effect))
    return Correlograms(
        first=np.minimum(post, pre),
        second=np.maximum(post, pre),
        lags_s=lags_s,
        observed=rng.poisson(connected).astype(float),
        expected=null,
        null=null,
        connected=connected,
    )


def best(result):
    """The neuron that receives the most probable connection, and the one that sends it."""
    probability = result.connectivity.probability
    return divmod(int(np.argmax(probability)), len(probability))


@pytest.fixture(scope="module")
def sparse_html():
    return build_report(sparse_result())


def test_connections_are_shown_one_by_one_where_each_has_a_probability(sparse_html):
    page = Page(sparse_html)
    headings = [heading["id"] for heading in page.all("h2")]
    assert headings.index("connections") + 1 == headings.index("spikes")
    assert "14 are more probably connected than not" in page.text
    assert "excitatory 9, unknown 0, inhibitory 3" in page.text
    alts = [image["alt"] for image in page.all("img")]
    assert "14 connections between neurons on a circle, as arrows." in alts
    assert "12 cross-correlograms of the most probable connections." in alts


def test_a_circuit_without_probabilities_has_no_such_section(ring_html):
    assert "connections" not in [heading["id"] for heading in Page(ring_html).all("h2")]
    assert 'id="explorer-correlogram"' not in ring_html


def test_the_table_starts_with_the_most_probable_connection(unpainted):
    result = sparse_result()
    section = connections_section(View.of(result))
    post, pre = best(result)
    first = section.rows[0]
    weight = result.connectivity.weights[post, pre]
    assert first[:2] == [f"T1C{pre}", f"T1C{post}"]
    assert first[2] == ("excites" if weight > 0 else "inhibits")
    assert first[3:5] == ["> .99", "2.0 ± 0.3"]
    assert [row[3] for row in section.rows[-2:]] == [".55", ".51"]


def test_what_excites_does_so_though_the_truth_has_the_other_sign(unpainted):
    result = sparse_result()
    turned = Connectivity(
        weights=-result.connectivity.weights, neuron_ids=result.connectivity.neuron_ids
    )
    view = View.of(replace(result, truth=turned))
    assert view.scale < 0
    section, without = (connections_section(v) for v in (view, View.of(result)))
    assert [row[:3] for row in section.rows] == [row[:3] for row in without.rows]
    assert "which show them with the other sign" in section.note


def test_a_table_that_is_cut_says_how_many_are_left_out():
    section = connections_section(View.of(sparse_result(n=12, n_connections=40)))
    assert len(section.rows) == 30
    assert "The 10 others are in connectivity.nc." in section.note
    one_left = connections_section(View.of(sparse_result(n=12, n_connections=31)))
    assert "The other one is in connectivity.nc." in one_left.note


def test_one_connection_is_spoken_of_as_one(unpainted):
    result = sparse_result(n=12, n_connections=1)
    section = connections_section(View.of(result))
    assert "132 ordered pairs of neurons 1 is more probably connected" in section.summary
    assert section.figures[0].alt == "1 connection between neurons on a circle, as arrows."
    assert "Coincidences are shown of the most probable pair." in Page(build_report(result)).text


def test_inhibition_is_told_from_excitation_without_colours():
    result = sparse_result()
    connections = ProbableConnections.of(result.connectivity)
    ax = draw_graph(connections, View.of(result).order, one_axes())
    ends = {type(patch.get_arrowstyle()).__name__ for patch in ax.patches}
    assert ends == {"CurveFilledB", "BracketB"}
    drawn = [points for points in ax.collections if len(points.get_offsets())]
    shapes = {len(points.get_paths()[0].vertices) for points in drawn}
    assert len(drawn) == len(shapes) > 1


@pytest.mark.parametrize(("n", "n_connections", "n_named"), [(12, 2, 12), (301, 1, 2)])
def test_of_many_neurons_only_those_with_a_connection_are_named(n, n_connections, n_named):
    circuit = sparse_result(n, n_connections).connectivity
    order = in_order(range(n))
    ax = draw_graph(ProbableConnections.of(circuit), order, one_axes())
    assert len(ax.texts) == n_named


def test_neither_connections_nor_correlograms_are_needed_for_the_section(unpainted):
    result = sparse_result()
    section = connections_section(View.of(replace(result, correlograms=None)))
    assert [figure.anchor for figure in section.figures] == ["graph"]
    unsure = replace(result.connectivity, probability=np.full((12, 12), 0.1))
    text = Page(build_report(replace(result, connectivity=unsure))).text
    assert "No pair is more probably connected than not." in text


def test_a_pair_that_is_connected_both_ways_is_shown_once():
    result = sparse_result(n=4, n_connections=12)
    connections = ProbableConnections.of(result.connectivity)
    named = named_correlograms(connections, result.correlograms)
    assert len(named) == 6
    assert all("⇄" in pair.name for pair in named)


def test_a_synapse_stands_to_the_right_of_zero_whichever_neuron_comes_first():
    result = sparse_result()
    connections = ProbableConnections.of(result.connectivity)
    for pair in named_correlograms(connections, result.correlograms):
        peak = pair.correlogram.connected.argmax()
        assert pair.correlogram.lags_s[peak] == pytest.approx(0.002), pair.name


@pytest.mark.slow
@pytest.mark.browser
def test_coincidences_are_shown_of_the_pair_under_the_pointer(chromium, tmp_path, sparse_html):
    result = sparse_result()
    post, pre = best(result)
    place = View.of(result).order.place
    page = tmp_path / "coincidences.html"
    driven = re.sub(r"script-src 'sha256-[^']*'", "script-src 'unsafe-inline'", sparse_html)
    hover = HOVER % (12, place[pre], place[post])
    page.write_text(driven.replace("</body>", f"<script>{hover}</script></body>"), "utf-8")
    dom, log = chromium("--dump-dom", page.as_uri())
    assert "CONSOLE" not in log
    shown = re.search(r'<figure id="explorer-correlogram".*?</figure>', dom, re.DOTALL)[0]
    assert f"T1C{pre} → T1C{post}, p &gt; .99, 2 ms" in shown
    assert 'style="visibility: visible' in shown
    assert shown.count("V130") >= 81
