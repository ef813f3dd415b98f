"""Connectivity: who drives whom. A simulation's truth and an inferred answer share this type."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Bool, Float
from scipy.sparse import csr_array

from spikeweft.data.chosen_neurons import chosen_neurons
from spikeweft.data.file_contents.sentences import counted
from spikeweft.errors import InputError, needs_extra

if TYPE_CHECKING:
    import networkx


_OF_PAIRS: Mapping[str, dict[str, str]] = {
    "standard_error": {},
    "probability": {},
    "latency_s": {"units": "s"},
    "latency_sd_s": {"units": "s"},
}

_OF_NEURONS: Mapping[str, dict[str, str]] = {
    "angle_rad": {"units": "rad"},
    "excitatory_probability": {},
}

_SURE = 0.95

DECODER_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    MemoryError,
    RuntimeError,
    zlib.error,
)
"""What decoders of netCDF, and of much else, raise on damaged bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connectivity:
    """Synaptic weights between neurons, `weights[post, pre]`.

    A positive weight excites: a spike of the presynaptic neuron raises the rate of the
    postsynaptic one. `weights @ activity` is the synaptic drive. The diagonal is never scored.

    Attributes
    ----------
    weights
        Rows are postsynaptic, columns presynaptic.
    neuron_ids
        A name per neuron; their indices where not given.
    standard_error
        Standard error of each weight, in the weights' unit, where known.
    angle_rad
        Position of each neuron on the ring (its preferred direction), where known.
    probability
        Posterior probability that each connection exists, where it was inferred.
    latency_s
        Time from a presynaptic spike to the onset of its effect, where known; NaN where there is
        no connection.
    latency_sd_s
        Posterior standard deviation of each latency, where it was inferred; NaN where none is
        stated.
    excitatory_probability
        Probability of each neuron that it excites rather than inhibits, where known.
    metadata
        Where the weights come from: strings and numbers only.
    """

    weights: Float[np.ndarray, "post pre"]
    neuron_ids: tuple[str, ...] = ()
    standard_error: Float[np.ndarray, "post pre"] | None = None
    angle_rad: Float[np.ndarray, " neuron"] | None = None
    probability: Float[np.ndarray, "post pre"] | None = None
    latency_s: Float[np.ndarray, "post pre"] | None = None
    latency_sd_s: Float[np.ndarray, "post pre"] | None = None
    excitatory_probability: Float[np.ndarray, " neuron"] | None = None
    metadata: Mapping[str, str | int | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = np.shape(self.weights)
        if len(shape) != 2 or shape[0] != shape[1]:
            raise InputError(f"weights must be a square matrix [post, pre], not of shape {shape}")
        if not np.all(np.isfinite(self.weights)):
            raise InputError("weights must be finite; some are NaN or infinite")
        if not self.neuron_ids:
            object.__setattr__(self, "neuron_ids", tuple(str(i) for i in range(shape[0])))
        if len(self.neuron_ids) != shape[0]:
            raise InputError(
                f"{counted(len(self.neuron_ids), 'neuron id')} for {counted(shape[0], 'neuron')} "
                "cannot be used; give one id per neuron"
            )

    @property
    def n_neurons(self) -> int:
        """How many neurons the matrix relates."""
        return len(self.neuron_ids)

    @property
    def cell_type(self) -> tuple[str, ...]:
        """Each neuron as "excitatory" or "inhibitory", or "unknown" below a certainty of 95 %."""
        if self.excitatory_probability is None:
            return ("unknown",) * self.n_neurons
        return tuple(
            "excitatory" if p >= _SURE else "inhibitory" if p <= 1 - _SURE else "unknown"
            for p in self.excitatory_probability
        )

    @property
    def informed(self) -> Bool[np.ndarray, "post pre"]:
        """Pairs that the data inform: those whose weight has a finite standard error."""
        if self.standard_error is None:
            return self.off_diagonal
        return self.off_diagonal & np.isfinite(self.standard_error)

    @property
    def off_diagonal(self) -> Bool[np.ndarray, "post pre"]:
        """The entries that count: all but those from a neuron to itself."""
        return ~np.eye(self.n_neurons, dtype=bool)

    def select(self, neurons: np.ndarray) -> Self:
        """Connectivity among some neurons, in the order given.

        Raises
        ------
        InputError
            Where one is asked for that does not exist, or twice.
        """
        chosen = chosen_neurons(neurons, self.n_neurons)
        pairs = np.ix_(chosen, chosen)
        return replace(
            self,
            weights=self.weights[pairs],
            neuron_ids=tuple(self.neuron_ids[i] for i in chosen),
            **{name: values[pairs] for name, values in self._known(_OF_PAIRS).items()},
            **{name: values[chosen] for name, values in self._known(_OF_NEURONS).items()},
        )

    def of_neurons(self, neuron_ids: Sequence[str]) -> Self:
        """The circuit of neurons with these names, in this order.

        A circuit whose neurons are only numbered has no names, and is taken as it is, unless these
        names are some of its numbers, as where units were left out: not just the first ones, which
        neurons of any circuit may be called.

        Raises
        ------
        InputError
            Where one of the neurons is not in it.
        """
        numbers = tuple(str(number) for number in range(self.n_neurons))
        are_first = tuple(neuron_ids) == numbers[: len(neuron_ids)]
        are_some = len(neuron_ids) < self.n_neurons and set(neuron_ids) <= set(numbers)
        if self.neuron_ids == numbers and (are_first or not are_some):
            return self
        row = {name: number for number, name in enumerate(self.neuron_ids)}
        unknown = [name for name in neuron_ids if name not in row]
        if unknown:
            raise InputError(
                f"{len(unknown)} of {len(neuron_ids)} neurons, the first of them {unknown[0]!r}, "
                f"are not in the other circuit, whose first is {self.neuron_ids[0]!r}; give a "
                "circuit of the same neurons"
            )
        return self.select(np.array([row[name] for name in neuron_ids], dtype=np.int64))

    def _known(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Those of these optional arrays that are there."""
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value is not None}

    def to_xarray(self) -> xr.Dataset:
        """Labelled arrays with dims `post` and `pre`, the inverse of `from_xarray`."""
        ids = np.array(self.neuron_ids)
        data = xr.Dataset(
            {"weights": (("post", "pre"), self.weights)},
            coords={"post": ids, "pre": ids},
            attrs={key: _storable(value) for key, value in self.metadata.items()},
        )
        for name, values in self._known(_OF_PAIRS).items():
            data[name] = (("post", "pre"), values, _OF_PAIRS[name])
        for name, values in self._known(_OF_NEURONS).items():
            data[name] = (("post",), values, _OF_NEURONS[name])
        return data

    @classmethod
    def from_xarray(cls, data: xr.Dataset) -> Self:
        """Connectivity from labelled arrays.

        Raises
        ------
        InputError
            Where there is no `weights` variable with dims `post` and `pre`.
        """
        if "weights" not in data or set(data["weights"].dims) != {"post", "pre"}:
            raise InputError(
                "the data set has no variable 'weights' with dims 'post' and 'pre'; "
                "it was not written by spikeweft"
            )
        return cls(
            weights=data["weights"].transpose("post", "pre").values.astype(float),
            neuron_ids=tuple(str(name) for name in data["post"].values),
            **{name: _values(data, name) for name in (*_OF_PAIRS, *_OF_NEURONS)},
            metadata={str(key): _plain(value) for key, value in data.attrs.items()},
        )

    def to_sparse(
        self, *, threshold: float = 0.0, min_probability: float = 0.0, informed_only: bool = True
    ) -> csr_array:
        """The stronger weights as SciPy's sparse array, `[post, pre]` like `weights`.

        Parameters
        ----------
        threshold
            Weights whose size is not above it are left out, like the diagonal, and read as 0.
        min_probability
            Connections less probable than this are left out too.
        informed_only
            Whether weights that the data do not inform are left out too; nothing would mark them.

        Raises
        ------
        InputError
            Where the threshold is negative or no number, the probability is none, or a probability
            is asked of a circuit that has none.
        """
        post, pre = np.nonzero(self._kept(threshold, min_probability, informed_only))
        return csr_array((self.weights[post, pre], (post, pre)), shape=self.weights.shape)

    def to_pandas(
        self, *, threshold: float = 0.0, min_probability: float = 0.0, informed_only: bool = True
    ) -> pd.DataFrame:
        """A table of connections: one row per pair that `to_sparse` keeps with these arguments.

        Columns are `pre`, `post` (names of the neurons) and `weight`, and where they are known
        `standard_error`, `probability`, `latency_s` and `latency_sd_s` (seconds), and
        `pre_cell_type` and `post_cell_type`, as in `cell_type`. What the circuit does not know has
        no column; what it does not know of one pair is NaN.

        Raises
        ------
        InputError
            Where two neurons have one name, and as in `to_sparse`.
        """
        self._check_names_differ()
        post, pre = np.nonzero(self._kept(threshold, min_probability, informed_only))
        names = np.array(self.neuron_ids, dtype=object)
        columns = {"pre": names[pre], "post": names[post], "weight": self.weights[post, pre]}
        for name, values in self._known(_OF_PAIRS).items():
            columns[name] = values[post, pre]
        if self.excitatory_probability is not None:
            types = np.array(self.cell_type, dtype=object)
            columns |= {"pre_cell_type": types[pre], "post_cell_type": types[post]}
        return pd.DataFrame(columns)

    def to_networkx(
        self, *, threshold: float = 0.0, min_probability: float = 0.0, informed_only: bool = True
    ) -> "networkx.DiGraph":
        """The circuit as a directed graph for NetworkX, an edge from `pre` to `post` per weight.

        Nodes are neuron names, with `angle_rad` and `excitatory_probability` where known; edges
        have `weight`, and `standard_error`, `probability`, `latency_s` and `latency_sd_s` where
        known; the graph has the metadata. Matrices that NetworkX makes are `[pre, post]`, the
        transpose of `weights`. Parameters are those of `to_sparse`.

        Raises
        ------
        InputError
            Where NetworkX is not installed or two neurons have one name, and as in `to_sparse`.
        """
        with needs_extra("networkx"):
            import networkx as nx
        self._check_names_differ()
        kept = self._kept(threshold, min_probability, informed_only)
        graph = nx.DiGraph()
        graph.graph.update(self.metadata)
        graph.add_nodes_from((name, self._of_neuron(i)) for i, name in enumerate(self.neuron_ids))
        graph.add_edges_from(
            (self.neuron_ids[pre], self.neuron_ids[post], self._of_pair(post, pre))
            for post, pre in np.argwhere(kept).tolist()
        )
        return graph

    def _check_names_differ(self) -> None:
        if len(set(self.neuron_ids)) < self.n_neurons:
            twice = next(name for name in self.neuron_ids if self.neuron_ids.count(name) > 1)
            raise InputError(
                f"two neurons are named {twice!r} and could not be told apart; give each its own "
                "name"
            )

    def _kept(
        self, threshold: float, min_probability: float, informed_only: bool
    ) -> Bool[np.ndarray, "post pre"]:
        if not threshold >= 0:
            raise InputError(
                f"the threshold is {threshold:g}; give the size of a weight, 0 or more"
            )
        pairs = self.informed if informed_only else self.off_diagonal
        strong = pairs & (np.abs(self.weights) > threshold)
        return strong & self._probable(min_probability)

    def _probable(self, min_probability: float) -> Bool[np.ndarray, "post pre"]:
        if not 0 <= min_probability <= 1:
            raise InputError(
                f"the minimum probability is {min_probability:g}; give a number from 0 to 1"
            )
        if min_probability == 0:
            return np.ones(self.weights.shape, dtype=bool)
        if self.probability is None:
            raise InputError(
                f"this circuit has no probabilities of connections, so none is above "
                f"{min_probability:g}; choose by a threshold on the weights instead"
            )
        return self.probability >= min_probability

    def _of_neuron(self, neuron: int) -> dict[str, Any]:
        known = {name: float(values[neuron]) for name, values in self._known(_OF_NEURONS).items()}
        return _finite(known)

    def _of_pair(self, post: int, pre: int) -> dict[str, Any]:
        known = {name: float(values[post, pre]) for name, values in self._known(_OF_PAIRS).items()}
        return {"weight": float(self.weights[post, pre]), **_finite(known)}

    def save(self, path: str | Path) -> None:
        """Write a netCDF file that `xarray.open_dataset` reads.

        Raises
        ------
        InputError
            Where the file system refuses, as in a folder that does not exist.
        """
        content = self.to_xarray().to_netcdf(engine="scipy")
        try:
            Path(path).write_bytes(content)
        except OSError as error:
            raise InputError(
                f"{path} cannot be written ({error.strerror or error}); give a file in a folder "
                "that exists and can be written to"
            ) from error

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a file written by `save`.

        Raises
        ------
        InputError
            Where the file is missing or is not such a file.
        """
        if not Path(path).is_file():
            raise InputError(f"there is no connectivity file {path}; run 'spikeweft infer' first")
        try:
            with xr.open_dataset(path, engine="scipy") as data:
                return cls.from_xarray(data.load())
        except DECODER_ERRORS as error:
            if isinstance(error, InputError):
                raise
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError(
                f"{path} is not a readable netCDF file ({reason}); write it again with "
                "'spikeweft infer'"
            ) from error


def _finite(known: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in known.items() if np.isfinite(value)}


def _values(data: xr.Dataset, name: str) -> np.ndarray | None:
    return data[name].values.astype(float) if name in data else None


def _storable(value: str | int | float) -> str | int | float:
    """The value as netCDF 3 can hold it, which has no integers beyond 32 bits."""
    too_long = isinstance(value, int) and not -(2**31) <= value < 2**31
    return float(value) if too_long else value


def _plain(value: object) -> str | int | float:
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, (str, int, float)) else str(value)
