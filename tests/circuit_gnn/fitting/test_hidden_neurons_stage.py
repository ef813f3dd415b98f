from dataclasses import replace

import pytest

from spikeweft.circuit_gnn.fitting import hidden_neurons_stage as stage
from spikeweft.circuit_gnn.fitting.fit_state import FitState, HeldOutScore, ScoredGain
from spikeweft.circuit_gnn.fitting.hidden_neurons_stage import is_found, next_gain
from spikeweft.circuit_gnn.fitting.stage import StepSequence
from spikeweft.circuit_gnn.fitting.work import Work


def climb(top, n_tries=6):
    """Gains tried where the log-likelihood is a parabola with this top."""
    tried = [ScoredGain(0.0, -(top**2))]
    for _ in range(n_tries):
        if is_found(tried):
            break
        gain = next_gain(tried)
        tried.append(ScoredGain(gain, -((gain - top) ** 2)))
    return tried


@pytest.mark.parametrize("top", [0.2, 0.74, 1.0, 1.6, 3.3])
def test_the_gain_under_which_training_spikes_are_likeliest_is_found(top):
    best = max(climb(top), key=lambda tried: tried.nats)
    assert abs(best.gain - top) < 0.1


def test_hidden_neurons_that_make_spikes_less_likely_send_nothing():
    tried = climb(-0.5)
    assert max(tried, key=lambda t: t.nats).gain == 0.0


def test_the_first_gain_is_that_of_neurons_like_the_observed_ones():
    assert next_gain([ScoredGain(0.0, -7.0)]) == 1.0


# -- once structure is known --


def scored(candidate, nats):
    return replace(candidate, held_out=HeldOutScore(nats, 1.0))


def kept(start, structured_nats):
    """A state in which hidden neurons were kept, and structure was learned with them."""
    return FitState(
        current=scored(start, structured_nats),
        held_out_bits=1.0,
        stage=7,
        free=scored(start, -50.0),
        structured=scored(start, structured_nats),
        alone=scored(start, -90.0),
        hidden_gains=(ScoredGain(1.0, 0.0),),
    )


@pytest.mark.parametrize(("without", "remain"), [(-15.0, False), (-25.0, False), (-40.0, True)])
def test_hidden_neurons_remain_where_they_are_worth_more_than_structure(
    problem, start, without, remain
):
    before = kept(start, structured_nats=-20.0)
    alone = stage._go_back(problem, before)
    assert (alone.current, alone.free, alone.structured) == (before.alone, before.alone, None)
    alone = replace(alone, structured=scored(start, without), stage=11)
    chosen = stage._choose(problem, alone)
    assert (chosen.structured is before.structured) == remain
    assert chosen.best_nats == (-20.0 if remain else without)
    assert (chosen.stage, chosen.with_hidden, chosen.alone) == (11, None, None)


def test_where_nobody_was_kept_nothing_is_done_again(problem, start):
    state = replace(kept(start, -20.0), alone=None, nats_before_hidden=-90.0)
    assert stage._go_back(problem, state) is state
    assert stage._choose(problem, state) is state
    again = stage.WithoutHidden(StepSequence("structure", ((lambda p, s: s, Work(1.0, 1.0)),)))
    assert again.is_done(state)
    assert again.work(state, 0) == Work()
    assert again.work(replace(state, nats_before_hidden=None), 0) == Work(0.5, 0.5)
    assert again.work(kept(start, -20.0), 0) == Work(1.0, 1.0)
