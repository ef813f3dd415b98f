import numpy as np
import pytest

from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.graph_networks import nri
from spikeweft.graph_networks.nri import NRI

N = 5


def record(duration_s=40.0, *, seed=0, follow=0.9):
    """Poisson neurons at 20 Hz; neuron 1 follows neuron 0 within 3 ms."""
    rng = np.random.default_rng(seed)
    times = [rng.uniform(0, duration_s, n) for n in rng.poisson(20 * duration_s, size=N)]
    echoed = times[0][rng.uniform(size=len(times[0])) < follow]
    times[1] = np.concatenate([times[1], echoed + rng.uniform(1e-3, 3e-3, len(echoed))])
    return Recording.from_arrays(
        np.round(np.concatenate(times), 4),
        np.repeat(np.arange(N), [len(t) for t in times]),
        n_neurons=N,
        epochs_s=np.array([[0.0, duration_s]]),
    )


@pytest.fixture(autouse=True, scope="module")
def short_training():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nri, "BATCHES_PER_EPOCH", 80)
        patch.setattr(nri, "N_ENCODED_PAIRS", 25_000)
        yield


@pytest.fixture(scope="module")
def fitted():
    return NRI(n_epochs=4, batch_size=512).fit(record())


@pytest.mark.slow
def test_a_neuron_that_is_followed_excites_its_follower(fitted):
    weights = fitted.connectivity_.weights
    strongest = np.unravel_index(np.argmax(np.abs(weights)), weights.shape)
    assert strongest == (1, 0), "post 1, pre 0"
    assert weights[1, 0] > 0.5


@pytest.mark.slow
def test_a_pair_without_a_connection_has_no_edge(fitted):
    edge = fitted.edge_probability_.sum(-1)
    assert edge[1, 0] > 0.9
    edge[1, 0] = 0.0
    assert edge.mean() < 0.2


def test_training_stops_where_held_out_spikes_gain_no_more(monkeypatch):
    monkeypatch.setattr(nri, "BATCHES_PER_EPOCH", 1)
    bits = iter([0.1, 0.3, 0.2, 0.2, 0.2])
    monkeypatch.setattr(nri, "held_out_bits", lambda *_: next(bits))
    fitted = NRI(n_epochs=30).fit(record(10.0))
    assert len(fitted.history_) == 2 + nri.PATIENCE


def test_a_fit_that_is_interrupted_leaves_the_one_before(monkeypatch):
    monkeypatch.setattr(nri, "BATCHES_PER_EPOCH", 1)
    X = record(10.0)
    fit = NRI(n_epochs=1).fit(X)
    before = fit.predict(X)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(nri, "held_out_bits", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit.fit(record(10.0, seed=1))
    np.testing.assert_array_equal(fit.predict(X), before)


def test_settings_that_cannot_be_fitted_are_refused():
    for wrong in ({"n_epochs": 0}, {"n_epochs": float("nan")}, {"batch_size": 2.5}):
        with pytest.raises(InputError, match="whole number from 1 on"):
            NRI().set_params(**wrong).fit(record(2.0))
    with pytest.raises(InputError, match="does not fit"):
        NRI(history_window_s=1e-5).fit(record(2.0))
