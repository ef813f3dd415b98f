import json

import numpy as np
import pytest
import torch
from tests.circuit_gnn.recordings import directed_network

from spikeweft.benchmark.methods import ABLATIONS, MIXED_COLUMNS
from spikeweft.circuit_gnn import ablations
from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.circuit_gnn.fitting import choice, fit_state
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.structure_learning import network_fit
from spikeweft.circuit_gnn.structure_learning.network_fit import (
    FreeWeights,
    NetworkShape,
    StructureProblem,
)
from spikeweft.circuit_gnn.structure_learning.quadratic_form import QuadraticLikelihood
from spikeweft.errors import InputError
from spikeweft.simulation.networks import simulate

N = 6


@pytest.fixture(autouse=True, scope="module")
def short_descents():
    """Fewer steps for the pair networks, which so few neurons do not need."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network_fit, "LEARNING_STEPS", 25)
        patch.setattr(network_fit, "IMITATION_STEPS", 25)
        yield


@pytest.fixture(scope="module")
def recording():
    return simulate(directed_network(N), 6.0, np.random.default_rng(1))


def ablated_estimators():
    return [kind for kind in vars(ablations).values() if is_ablation(kind)]


def is_ablation(kind):
    return isinstance(kind, type) and issubclass(kind, CircuitGNN) and kind is not CircuitGNN


def test_every_ablation_is_compared_and_one_part_of_the_problem_is_its_own():
    """No two leave out the same; that of hidden neurons is compared with by itself."""
    built = [a.method.build(n_hidden=0, seed=1) for a in ABLATIONS]
    built.append(MIXED_COLUMNS.build(n_hidden=2, seed=1))
    assert {type(estimator) for estimator in built} == set(ablated_estimators())
    assert len({type(estimator).problem_class for estimator in built}) == len(built)
    for estimator in built:
        own = {name for name in vars(type(estimator).problem_class) if not name.startswith("_")}
        if type(estimator) is ablations.WithoutLearnedLink:
            assert own == {"scoring", "first_link", "learns_link"}
        else:
            assert len(own) == 1
        assert own <= set(vars(Problem))


# -- what an ablation does to a fit --


def test_with_nothing_but_free_weights_no_network_is_learned(recording):
    fit = ablations.WithoutStructure(tau_s=0.01).fit(recording)
    assert not any(progress.stage.startswith("structure") for progress in fit.history_)
    assert fit.connectivity_.metadata["structure"] == "free weights, structure not tried"
    assert fit.connectivity_.metadata["estimator"] == "WithoutStructure"


def test_an_exponential_link_stays_one_to_the_end_and_is_saved(recording):
    """No step of the fit moves it, not even where networks are learned."""
    fit = ablations.WithoutLearnedLink(tau_s=0.01).fit(recording)
    drive = -fit.model_.link.log_gain + torch.tensor([1.0, 100.0]).log()
    np.testing.assert_allclose(fit.model_.link.rate_hz(drive), [1.0, 100.0], rtol=1e-3)
    settings = json.loads(json.dumps(fit.model_settings()))
    again = ablations.WithoutLearnedLink.from_saved(fit.model_arrays(), settings)
    assert again.score(recording) == fit.score(recording)


def test_random_embeddings_say_nothing_of_the_weights():
    """They are drawn from the generator alone."""

    def start(scale, seed, directed):
        free = FreeWeights(
            weights=scale * (1.0 - torch.eye(N)).double(),
            determined=torch.ones(N, N).double(),
            precision=torch.ones(N, 1).double(),
        )
        form = QuadraticLikelihood(
            torch.zeros(N, N + 3).double(), torch.eye(N + 3).double().repeat(N, 1, 1)
        )
        problem = StructureProblem(free, form, form)
        rng = torch.Generator().manual_seed(seed)
        trainer = ablations.RandomStartTrainer(problem, NetworkShape(3, directed), rng)
        return trainer.first_embedding()

    for directed in (False, True):
        z, same, other = (start(*given, directed) for given in ((1.0, 0), (-2.0, 0), (1.0, 1)))
        assert torch.equal(z.receiver, same.receiver)
        assert torch.equal(z.sender, same.sender)
        assert not torch.equal(z.receiver, other.receiver)
        assert (z.sender is z.receiver) == (not directed)


class ManyPartsReplaced(Problem):
    """One round, one network; nothing of the method's own in it."""

    networks_per_round = (1,)
    scoring = ablations.DiagonalScoring()

    class trainer(  # noqa: N801
        ablations.RandomStartTrainer, ablations.ConcatenationTrainer, ablations.IsotropicTrainer
    ):
        pass


class WithMuchLeftOut(CircuitGNN):
    problem_class = ManyPartsReplaced


def test_a_fit_with_much_left_out_can_be_resumed(recording, tmp_path, monkeypatch):
    """Networks are taken here whatever held-out spikes say."""
    monkeypatch.setattr(fit_state, "WORTH_NATS", -1e9)
    monkeypatch.setattr(choice, "_choose_kind", lambda problem, state: state)
    model, checkpoint = WithMuchLeftOut(tau_s=0.01), tmp_path / "fit.safetensors"

    def stop(progress):
        if progress.stage == "structure, round 2":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit(recording, checkpoint=checkpoint, on_progress=stop)
    with pytest.raises(InputError, match="was made with another estimator"):
        CircuitGNN(tau_s=0.01).fit(recording, checkpoint=checkpoint)
    resumed = WithMuchLeftOut(tau_s=0.01).fit(recording, checkpoint=checkpoint)
    whole = WithMuchLeftOut(tau_s=0.01).fit(recording)
    np.testing.assert_array_equal(resumed.connectivity_.weights, whole.connectivity_.weights)
    assert {p.stage for p in whole.history_ if p.stage[-1].isdigit()} == {"structure, round 2"}
    assert "pair network" in whole.connectivity_.metadata["structure"]
