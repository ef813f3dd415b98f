"""The contract of every estimator: fit on a recording, answer with a circuit.

Those that also predict spikes are scored in bits.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
from jaxtyping import Float
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.readers.given_objects import takes_recordings
from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs
from spikeweft.errors import InputError
from spikeweft.evaluation.prediction import PredictionScore, bits_per_spike
from spikeweft.runtime.training_loop import Progress
from spikeweft.runtime.whole_numbers import is_whole

_OF_RECORDINGS = ("fit", "evaluate", "log_likelihood", "predict")
_TOO_LARGE = 2**63


class CircuitEstimator(BaseEstimator, ABC):
    """An estimator of connectivity.

    Settings are arguments of `__init__`; results end in an underscore. Where a recording is wanted,
    a pynapple `TsGroup`, Neo's spike trains or a mapping from names to spike times will do. After
    `fit`:

    connectivity_
        The inferred circuit.
    """

    connectivity_: Connectivity

    def __init_subclass__(cls, **named: Any) -> None:
        """Let the methods that a subclass defines take other libraries' recordings."""
        super().__init_subclass__(**named)
        for name in _OF_RECORDINGS:
            if name in cls.__dict__:
                setattr(cls, name, takes_recordings(cls.__dict__[name]))

    @abstractmethod
    def fit(self, X: Recording, y: None = None) -> Self:
        """Infer the circuit of a recording; `y` is ignored (scikit-learn's convention)."""

    def check_fitted(self, X: Recording) -> None:
        """Refuse a recording of other neurons, or any before `fit`.

        Raises
        ------
        NotFittedError
            Before `fit`.
        InputError
            Where the number of neurons differs.
        """
        if not hasattr(self, "connectivity_"):
            raise NotFittedError(f"this {type(self).__name__} is not fitted yet; call fit first")
        if X.n_neurons != self.connectivity_.n_neurons:
            raise InputError(
                f"the recording has {X.n_neurons} neurons but the model was fitted on "
                f"{self.connectivity_.n_neurons}; use a recording of the same neurons"
            )


@contextmanager
def saved_by_this_version() -> Iterator[None]:
    """Refuse a saved model whose arrays or settings are those of another version.

    Raises
    ------
    InputError
        Where one is missing or has another shape, or there is one that is not known.
    """
    try:
        yield
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"this model was saved by another version of spikeweft ({error}); infer again, or load "
            "it with that version"
        ) from error


class SpikePredictor(CircuitEstimator, ABC):
    """An estimator of connectivity that also predicts spikes.

    After `fit`, beside the circuit:

    null_rate_hz_
        Mean rate of each neuron in the data it was fitted on, the null of `score`.
    """

    null_rate_hz_: Float[np.ndarray, " neuron"]
    history_window_s: float

    @abstractmethod
    def log_likelihood(self, X: Recording) -> Float[np.ndarray, " neuron"]:
        """Σ log λ(t_spike) - ∫λ dt of each neuron, in nats with rates in Hz, on scored time.

        Scored time is `scored_epochs(X, self.history_window_s)`.
        """

    @abstractmethod
    def predict(self, X: Recording, bin_s: float = 0.01) -> Float[np.ndarray, "time neuron"]:
        """Expected spike counts in the bins of `X.counts(bin_s)`, given the spikes before."""

    def evaluate(self, X: Recording) -> PredictionScore:
        """Bits per spike, per neuron and pooled.

        Raises
        ------
        InputError
            Where the recording has other neurons than the one fitted, or nothing that can be
            scored.
        """
        self.check_fitted(X)
        epochs = scored_epochs(X, self.history_window_s)
        if len(epochs) == 0:
            raise InputError(
                f"no epoch is longer than the history window of {self.history_window_s:g} s, so "
                "nothing can be scored; use longer epochs or a shorter window"
            )
        scored = X.restrict(epochs)
        return bits_per_spike(
            self.log_likelihood(X), scored.n_spikes, scored.duration_s, self.null_rate_hz_
        )

    def score(self, X: Recording, y: None = None) -> float:  # noqa: ARG002
        """Bits per spike, mean over neurons; `y` is ignored (scikit-learn's convention)."""
        return self.evaluate(X).mean


class ResumablePredictor(SpikePredictor, ABC):
    """A spike predictor that is fitted in steps, each of which can be saved and resumed from.

    After `fit`, beside the circuit and the null:

    history_
        Progress of every step.
    warnings_
        What the fit left out of the recording, and why, in a sentence each.
    """

    history_: list[Progress]
    warnings_: tuple[str, ...] = ()

    @abstractmethod
    def check_recording(self, X: Recording) -> None:
        """Refuse settings that cannot be used with this recording.

        Raises
        ------
        InputError
            Where one cannot.
        """

    @abstractmethod
    def fit(
        self,
        X: Recording,
        y: None = None,
        *,
        checkpoint: Path | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> Self:
        """Infer the circuit of a recording, from the checkpoint on where it exists."""

    @abstractmethod
    def model_arrays(self) -> dict[str, np.ndarray]:
        """Everything learned, as arrays."""

    @abstractmethod
    def model_settings(self) -> dict[str, Any]:
        """The settings, as plain values."""


def check_whole_numbers(estimator: CircuitEstimator, **least: int) -> None:
    """Refuse settings that are no whole numbers, or smaller than their least; the seed too.

    Raises
    ------
    InputError
        Where one is.
    """
    for name, smallest in {**least, "random_state": 0}.items():
        value = getattr(estimator, name)
        if not is_whole(value, smallest) or value >= _TOO_LARGE:
            raise InputError(f"{name} is {value!r}; give a whole number from {smallest} on")


def check_enough_neurons(recording: Recording) -> None:
    """Refuse a recording that cannot hold a circuit.

    Raises
    ------
    InputError
        Where fewer than two neurons were recorded, or fewer than two fire.
    """
    if recording.n_neurons < 2:
        raise InputError(
            f"a circuit needs at least two neurons, and this recording has {recording.n_neurons}; "
            "choose a recording with more units"
        )
    n_firing = len(np.unique(recording.spike_neurons))
    if n_firing < 2:
        raise InputError(
            f"{n_firing} of {recording.n_neurons} neurons fired in the part to be used, and a "
            "circuit needs at least two that do; use a longer part of the recording"
        )
