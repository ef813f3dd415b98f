import re
import shutil
import subprocess
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.covariate import Covariate
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.evaluation.circuit_error import inference_error
from spikeweft.reporting import page as page_module
from spikeweft.reporting import result_page as builder
from spikeweft.reporting.connections.plot_correlograms import named_correlograms
from spikeweft.reporting.connections.probable import ProbableConnections
from spikeweft.reporting.connections.section import connections_section
from spikeweft.reporting.explorer import SCRIPT, explorer
from spikeweft.reporting.model_in_words import model_in_words
from spikeweft.reporting.result_page import build_report
from spikeweft.reporting.result_view import View
from spikeweft.results.correlograms import Correlograms
from spikeweft.results.result import Result, read_result, write_result
from spikeweft.runtime.training_loop import Progress

ATTACK = "<script>alert(1)</script>"
MEGABYTE = 1e6
OUR_SCRIPTS = [{"type": "application/json", "id": "explorer-data"}, {}]
"""Data, which does not run, and the one script, which runs by its hash."""
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--enable-logging=stderr",
)


def mexican_hat(distance):
    """Profile of the ring attractor (Das & Fiete 2020), for 100 neurons around the ring."""
    return np.exp(-(distance**2) / 2 / 6.98**2) - 1.0005 * np.exp(-(distance**2) / 2 / 7.0**2)


def around(distance):
    return np.minimum(distance % 100, -distance % 100)


def spikes_of_bumps(angle_rad, seconds, rng):
    """Spikes of neurons in four bumps of activity that wander around the ring."""
    time_s = np.arange(0.0, seconds, 1e-3)
    phase = np.cumsum(0.03 * rng.normal(size=len(time_s)))
    tuning = np.exp(2 * np.cos(4 * angle_rad[None, :] - phase[:, None]))
    fired, neuron = np.nonzero(rng.random(tuning.shape) < 0.0625 * tuning / tuning.mean())
    return Recording.from_arrays(
        time_s[fired],
        neuron,
        n_neurons=len(angle_rad),
        epochs_s=np.array([[0.0, seconds]]),
        preferred_angle_rad=angle_rad,
    )


def training_curves():
    return [
        Progress(
            stage=stage,
            step=step,
            loss=-3.0 - 0.7 * (1 - 0.7**step),
            held_out_bits_per_spike=1.28 * (1 - 0.7**step),
        )
        for step, stage in enumerate(["link"] * 10 + ["structure"] * 6)
    ]


def ring_result(n=100) -> Result:
    """A ring whose wiring is known, inferred well, and by the GLM with side troughs."""
    rng = np.random.default_rng(0)
    angle = 2 * np.pi * np.arange(n) / n
    distance = (np.arange(n)[:, None] - np.arange(n)) * 100 / n
    true_weights = mexican_hat(around(distance))
    ghosts = mexican_hat(around(distance - 25)) + mexican_hat(around(distance + 25))
    noise = rng.normal(size=(n, n))
    truth = Connectivity(weights=true_weights, angle_rad=angle)
    inferred = Connectivity(
        weights=400 * (true_weights + 2e-5 * (noise + noise.T)),
        standard_error=np.full((n, n), 400 * 2.8e-5),
        angle_rad=angle,
    )
    glm = Connectivity(weights=50 * (true_weights + 0.3 * ghosts + 1e-4 * noise), angle_rad=angle)
    error = inference_error(inferred, truth)
    return Result(
        connectivity=inferred,
        glm=glm,
        truth=truth,
        metrics={
            "bits_per_spike": 1.286,
            "glm_bits_per_spike": 0.895,
            "oracle_bits_per_spike": 1.294,
            "delta": error.delta,
            "delta_bias": error.bias,
            "delta_variance": error.variance,
            "delta_profile": error.delta_profile,
            "glm_delta": inference_error(glm, truth).delta,
            "seconds": 151.2,
            "peak_memory_mb": 870.0,
            "n_neurons": n,
            "n_spikes": 2998731,
            "duration_s": 480.0,
            "null": "the mean rate of each neuron in the training part",
            "scored_on": "the last tenth of the recorded time",
            "bits_per_spike_per_neuron": list(1.286 + 0.04 * rng.normal(size=n)),
            "glm_bits_per_spike_per_neuron": list(0.895 + 0.05 * rng.normal(size=n)),
        },
        history=training_curves(),
        sample=spikes_of_bumps(angle, 2.0, rng),
        warnings=[],
        provenance={"recording": "ring.npz", "command": "spikeweft infer ring.npz out", "seed": 1},
        model_arrays={},
        model_settings={},
    )


def recorded_result() -> Result:
    """Nineteen head-direction cells whose wiring nobody knows."""
    rng = np.random.default_rng(1)
    n = 19
    angle = rng.uniform(0, 2 * np.pi, n)
    difference = np.angle(np.exp(1j * (angle[None, :] - angle[:, None])))
    error = 0.05 + 0.1 * rng.random((n, n))
    error[rng.random((n, n)) < 0.05] = np.inf
    ids = tuple(f"T{1 + i // 7}C{1 + i % 7}" for i in range(n))
    sample = replace(
        spikes_of_bumps(angle / 4, 8.0, rng),
        neuron_ids=ids,
        preferred_angle_rad=angle,
        covariates={
            "head_direction": Covariate(
                times_s=np.linspace(0, 8, 200), values=np.linspace(0, 9, 200), is_angle=True
            )
        },
    )
    return Result(
        connectivity=Connectivity(
            weights=np.exp(-(difference**2)) - 0.4 + 0.1 * rng.normal(size=(n, n)),
            standard_error=error,
            neuron_ids=ids,
            angle_rad=angle,
        ),
        glm=Connectivity(weights=rng.normal(size=(n, n)), neuron_ids=ids),
        metrics={
            "bits_per_spike": 0.93,
            "glm_bits_per_spike": 0.9,
            "delta": None,
            "oracle_bits_per_spike": None,
            "bits_per_spike_per_neuron": [None, *rng.random(n - 1)],
            "glm_bits_per_spike_per_neuron": [None, *rng.random(n - 1)],
        },
        history=training_curves(),
        sample=sample,
        warnings=["neuron T1C1 never fires, and nothing can be said about it"],
        provenance={"recording": "mouse.nwb", "versions": {"spikeweft": "0.1.0"}},
        model_arrays={},
        model_settings={},
    )


class Page(HTMLParser):
    """The elements and the visible text of a page."""

    def __init__(self, html: str):
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.elements and self.elements[-1][0] not in ("style", "script"):
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


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
    assert f"For {n_pairs} pairs the data hold no information" in Page(recorded_html).text


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
        ("free weights", "Each pair has a weight of its own"),
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
    assert "Synaptic kernel: 9.8 ms after 2 ms" in text
    assert "acts after 2 ms, and then for 9.8 ms" in text
    assert "almost zero below a threshold" in text


@pytest.mark.parametrize(
    ("bend", "power", "words"),
    [(-16.0, 1.0, "as in a Poisson GLM"), (1.5, 2.5, "with its power 2.5 where drives are strong")],
)
def test_the_link_is_told_in_words(bend, power, words):
    ((_, _, said),) = model_in_words({"link_bend": bend, "link_power": power})
    assert words in said


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


def look_around(html, chromium, tmp_path, script):
    """What the page's reading says after a script of ours, which the page's policy is told of."""
    page = tmp_path / "explorer.html"
    driven = re.sub(r"script-src 'sha256-[^']*'", "script-src 'unsafe-inline'", html)
    page.write_text(driven.replace("</body>", f"<script>{script}</script></body>"), "utf-8")
    dom, log = chromium("--dump-dom", page.as_uri())
    assert "CONSOLE" not in log
    return re.search(r'<output id="explorer-pair"[^>]*>(.*?)</output>', dom, re.DOTALL)[1]


HOVER = """
const canvas = document.querySelectorAll("canvas")[0], box = canvas.getBoundingClientRect();
const at = (place) => (place + 0.5) / %d;
canvas.dispatchEvent(new PointerEvent("pointermove", {
  clientX: box.left + at(%d) * box.width, clientY: box.top + at(%d) * box.height }));
"""


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
def test_the_page_lets_its_own_script_run_and_no_other(ring_html, chromium, tmp_path):
    page = tmp_path / "report.html"
    page.write_text(ring_html.replace("<main", "<script>alert(1)</script><main"), "utf-8")
    dom, log = chromium("--dump-dom", page.as_uri())
    assert re.search(r'<output id="explorer-pair"[^>]*>from ', dom)
    assert "Content Security Policy" in log


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
    monkeypatch.setattr("spikeweft.reporting.explorer._LARGEST_BYTES", n_bytes)
    assert explorer(view, {}) is None
    assert not Page(build_report(ring_result(12))).all("canvas")


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


def test_results_of_other_neurons_are_not_compared(unillustrated):
    ours, other = ring_result(12), ring_result(13)
    with pytest.raises(InputError, match="night cannot be shown beside this result: neuron '12'"):
        build_report(ours, {"night": other})
    turned = replace(ours.connectivity, neuron_ids=ours.connectivity.neuron_ids[::-1])
    with pytest.raises(InputError, match="in another order"):
        build_report(ours, {"night": replace(ours, connectivity=turned)})


# ---- connections one by one


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
    assert "14 connections as arrows between neurons on a circle." in alts
    assert "Cross-correlograms of the 12 most probable connections." in alts


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


def test_a_table_that_is_cut_says_how_many_are_left_out():
    section = connections_section(View.of(sparse_result(n=12, n_connections=40)))
    assert len(section.rows) == 30
    assert "The 10 others are in connectivity.nc." in section.note


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
