"""Recorded time cut into training and test parts, for scikit-learn's model selection."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from jaxtyping import Float, Int
from sklearn.model_selection import BaseCrossValidator

from spikeweft.data.recording import Recording
from spikeweft.errors import InputError

_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexableRecording(Recording):
    """A recording that scikit-learn can index: its samples are bins of time.

    scikit-learn splits data by indices, and asks for `X[samples]`. Here the indices choose moments
    in time: each epoch is cut into bins of `bin_s`, its last one possibly shorter, and what is
    returned is the recording of the chosen bins. Bins that follow each other within an epoch stay
    one epoch; elsewhere an epoch ends, and no spike history crosses it, so a model fitted to some
    samples has seen nothing of the others. Time always ascends, in whatever order samples are
    asked for.

    Since it is a `Recording`, every estimator takes it as it is, and what splits or searches in
    scikit-learn takes it for `X`, once inside another too: `cross_val_score`, `GridSearchCV`,
    `TimeSeriesSplit`, `train_test_split(shuffle=False)`. The spikes keep their times: `bin_s` is no
    bin of any model, but how finely time can be divided.

    Attributes
    ----------
    bin_s
        Length of a sample in seconds.
    """

    bin_s: float = 0.1

    def __post_init__(self) -> None:
        Recording.__post_init__(self)
        if not 0 < self.bin_s < np.inf:
            raise InputError(f"a sample of {self.bin_s} s holds no time; choose one above 0 s")

    @classmethod
    def of(cls, recording: Recording, bin_s: float = 0.1) -> Self:
        """A recording with samples of `bin_s` seconds.

        Raises
        ------
        InputError
            Where `bin_s` is not above 0.
        """
        known = {part.name: getattr(recording, part.name) for part in fields(Recording)}
        return cls(**known, bin_s=bin_s)

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and neurons."""
        return len(self), self.n_neurons

    def __len__(self) -> int:
        return int(self._n_bins.sum())

    def __getitem__(self, samples: Any) -> Self:
        """The recording of these samples only, in the order of time.

        Parameters
        ----------
        samples
            Whole numbers, booleans or a slice, as NumPy takes them for the first axis.

        Raises
        ------
        InputError
            Where no sample is asked for, or one twice.
        """
        if isinstance(samples, tuple):  # scikit-learn asks for X[samples, ...]
            samples = samples[0]
        asked = np.sort(np.atleast_1d(np.arange(len(self))[samples]))
        if len(asked) == 0:
            raise InputError("no sample of the recording is asked for; choose one or more")
        if len(twice := asked[1:][np.diff(asked) == 0]):
            raise InputError(
                f"sample {twice[0]} is asked for twice, but a recording holds each moment once; "
                "draw without replacement"
            )
        bins_s = self.bins_s[asked]
        begins = np.concatenate([[True], (np.diff(asked) > 1) | (np.diff(self._epoch[asked]) > 0)])
        ends = np.concatenate([begins[1:], [True]])
        return self.restrict(np.column_stack([bins_s[begins, 0], bins_s[ends, 1]]))

    @property
    def bins_s(self) -> Float[np.ndarray, "sample 2"]:
        """Start and stop of each sample."""
        epoch = self._epoch
        within = np.arange(len(epoch)) - np.searchsorted(epoch, epoch)
        start = self.epochs_s[epoch, 0]
        is_last = within + 1 == self._n_bins[epoch]
        # The same product for a stop and the next start, so that each spike is in one of the two.
        stop = np.where(is_last, self.epochs_s[epoch, 1], start + (within + 1) * self.bin_s)
        return np.column_stack([start + within * self.bin_s, stop])

    @property
    def _n_bins(self) -> Int[np.ndarray, " epoch"]:
        length = self.epochs_s[:, 1] - self.epochs_s[:, 0]
        return np.maximum(np.ceil(length / self.bin_s - _ROUNDING).astype(np.int64), 1)

    @property
    def _epoch(self) -> Int[np.ndarray, " sample"]:
        return np.repeat(np.arange(len(self.epochs_s)), self._n_bins)


class BlockedSplit(BaseCrossValidator):
    """K-fold cross-validation over blocks of time, with a gap between training and test.

    The recorded time is cut into `n_splits` blocks of as many samples. Each block is tested once,
    by what was fitted to the others without the time closer to it than `gap_s`. Spikes just before
    or after a test block resemble those within it; were they trained on, the score would be too
    good. Bits per spike, which the estimators of this package are scored in, are then those of the
    test block alone: neither its spikes nor their history are in the training part. The null is
    the mean rate of each neuron in the training part.

    Give it to scikit-learn as `cv`, with an `IndexableRecording` for `X`.

    Parameters
    ----------
    n_splits
        How many blocks, each of which is tested once.
    gap_s
        Time on each side of a test block that is neither trained on nor tested: the estimator's
        history window, or more where activity changes slowly.
    """

    def __init__(self, n_splits: int = 5, gap_s: float = 0.1) -> None:
        self.n_splits = n_splits
        self.gap_s = gap_s

    def split(
        self,
        X: Any,
        y: object = None,  # noqa: ARG002
        groups: object = None,  # noqa: ARG002
    ) -> Iterator[tuple[Int[np.ndarray, " train"], Int[np.ndarray, " test"]]]:
        """Samples to train on and samples to test, block by block.

        Raises
        ------
        InputError
            Where the recording cannot be indexed or has fewer samples than blocks, where nothing
            is left to train on, or where a setting makes no sense.
        """
        samples = self._checked(X)
        bins_s, near = samples.bins_s, self.gap_s - _ROUNDING * samples.bin_s
        for test in np.array_split(np.arange(len(samples)), self.n_splits):
            start_s, stop_s = bins_s[test[0], 0], bins_s[test[-1], 1]
            is_far = (bins_s[:, 1] <= start_s - near) | (bins_s[:, 0] >= stop_s + near)
            is_far[test] = False
            if not is_far.any():
                raise InputError(
                    f"a gap of {self.gap_s:g} s around a test block of {stop_s - start_s:g} s "
                    "leaves nothing to train on; use a shorter gap or a longer recording"
                )
            yield np.flatnonzero(is_far), test

    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:  # noqa: ARG002
        """How many blocks are tested."""
        return self.n_splits

    def _checked(self, X: object) -> IndexableRecording:
        if not isinstance(X, IndexableRecording):
            raise InputError(
                f"a {type(X).__name__} cannot be split in time; "
                "give IndexableRecording.of(recording)"
            )
        if not 2 <= self.n_splits <= len(X):
            raise InputError(
                f"{self.n_splits} blocks cannot be made of {len(X)} samples; choose from 2 to the "
                "number of samples"
            )
        if not 0 <= self.gap_s < np.inf:
            raise InputError(f"a gap of {self.gap_s} s is no time; choose 0 s or more")
        return X
