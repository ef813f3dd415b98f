"""The steps of a study, each saved as soon as it is done."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.holdout import FITTED, TEST, VALIDATION
from spikeweft.data.readers.load import load
from spikeweft.data.readers.recording_digest import recording_digest
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.estimator import SpikePredictor
from spikeweft.head_direction.controls import (
    N_RESAMPLED,
    coupling,
    score_elsewhere,
    scored_halves,
)
from spikeweft.head_direction.regression import design_of, fit_regression
from spikeweft.head_direction.step_cache import StepCache, pack_circuits
from spikeweft.head_direction.study import (
    CAUSES,
    ERRORS_DEG,
    DirectionErrorCircuits,
    Elsewhere,
    Findings,
    Fit,
    HeadDirectionStudy,
)
from spikeweft.head_direction.tuning.preparation import Prepared, prepare
from spikeweft.head_direction.tuning.surrogates import UncoupledNeurons
from spikeweft.runtime.files import only_writer, written_to


def circuit_gnn(
    study: HeadDirectionStudy, n_hidden: int, covariates: tuple[str, ...]
) -> CircuitGNN:
    """The model of a study, not yet fitted."""
    return CircuitGNN(n_hidden=n_hidden, covariates=covariates, random_state=study.seed)


BuildModel = Callable[[HeadDirectionStudy, int, tuple[str, ...]], SpikePredictor]


def run_study(
    study: HeadDirectionStudy,
    on_stage: Callable[[str], None] = lambda _: None,
    *,
    force: bool = False,
    build_model: BuildModel = circuit_gnn,
    n_resampled: int = N_RESAMPLED,
) -> Findings:
    """Take all steps that the folder does not hold yet, quick and informative ones first.

    Parameters
    ----------
    study
        What to study.
    on_stage
        Called with a few words at the start of each step.
    force
        Start over.
    build_model
        The method, from a number of hidden neurons and the covariates that it reads.
    n_resampled
        Uncoupled recordings to which the quick regression is fitted.

    Raises
    ------
    InputError
        Where the input or the folder cannot be used.
    """
    _check(study)
    prepared = prepare(
        study.recording, study.angle, study.epochs, np.random.default_rng(study.seed)
    )
    window_s = build_model(study, 0, ()).history_window_s
    for path in study.elsewhere:  # refuses what cannot be scored before hours are spent
        scored_halves(same_cells(path, prepared.recording), window_s)
    with written_to(study.folder):
        study.folder.mkdir(exist_ok=True)
    busy = f"another process is writing to {study.folder}; wait for it, or choose another folder"
    with only_writer(study.folder / "lock", busy):
        if force and (study.folder / "steps").exists():
            with written_to(study.folder):
                shutil.rmtree(study.folder / "steps")
        return _Steps(study, prepared, on_stage, build_model, n_resampled).take()


class _Steps:
    """The steps of a study, on data that its folder caches."""

    def __init__(
        self,
        study: HeadDirectionStudy,
        prepared: Prepared,
        on_stage: Callable[[str], None],
        build_model: BuildModel,
        n_resampled: int,
    ) -> None:
        self.study, self.prepared, self.on_stage = study, prepared, on_stage
        self.build_model, self.n_resampled = build_model, n_resampled
        self.recording, self.angle = prepared.recording, prepared.angle
        self.cache = StepCache(folder=study.folder / "steps")
        self.cache.begin(study.settings)
        self._neurons: UncoupledNeurons | None = None
        self._of_all: SpikePredictor | None = None

    def take(self) -> Findings:
        """Take all steps."""
        regressions = self._regressions()
        both = (True, False)
        quick = {
            direction_known: self._quick("quick", direction_known, self._whole)[0]
            for direction_known in both
        }
        quick_uncoupled = {
            direction_known: self._quick("quick_uncoupled", direction_known, self._drawn)
            for direction_known in both
        }
        quick_halves = {
            direction_known: self._quick("quick_halves", direction_known, self._halves)
            for direction_known in both
        }
        quick_uncoupled_halves = {
            direction_known: self._quick(
                "quick_uncoupled_halves", direction_known, self._drawn_halves
            )
            for direction_known in both
        }
        quick_direction_error = self._quick("direction_error", True, self._with_direction_errors)
        fits = {
            (n, direction_known): self._fit(n, direction_known)
            for n in self.study.n_hidden
            for direction_known in (False, True)
        }
        uncoupled = {
            (n, direction_known): self._uncoupled(n, direction_known) for n, direction_known in fits
        }
        return Findings(
            study=self.study,
            prepared=self.prepared,
            regressions=regressions,
            quick=quick,
            quick_uncoupled=quick_uncoupled,
            quick_halves=quick_halves,
            quick_uncoupled_halves=quick_uncoupled_halves,
            direction_error=DirectionErrorCircuits(
                quick_direction_error, self._fitted_to_direction_errors()
            ),
            fits=fits,
            uncoupled=uncoupled,
            halves=self._fitted_halves(),
            elsewhere=[self._elsewhere(path) for path in self.study.elsewhere],
        )

    def _regressions(self) -> dict[str, Float[np.ndarray, " neuron"]]:
        self.on_stage("regressions to compare with")

        def make() -> dict[str, np.ndarray]:
            train, test = (
                design_of(self.recording.between(*part), self.angle) for part in (FITTED, TEST)
            )
            null_hz = _before_test(self.recording).rate_hz  # that of CircuitGNN
            fits = {name: fit_regression(train, causes) for name, causes in CAUSES.items()}
            return {
                name: replace(fit, null_rate_hz=null_hz).score(test).per_neuron
                for name, fit in fits.items()
            }

        return self.cache.arrays("bits_of_regressions", make)

    def _quick(
        self, name: str, direction_known: bool, recordings: Callable[[], list[Recording]]
    ) -> list[Connectivity]:
        """Coupling in some recordings, by regression with or without the direction."""
        self.on_stage(f"{name.replace('_', ', ')}{', direction known' if direction_known else ''}")
        angle = self.angle if direction_known else None
        return self.cache.circuits(
            f"{name}_{'with' if direction_known else 'without'}_direction",
            lambda: [coupling(recording, angle) for recording in recordings()],
            self.recording,
        )

    def _whole(self) -> list[Recording]:
        return [self.recording]

    def _halves(self) -> list[Recording]:
        return _halves_of(self.recording)

    def _drawn_halves(self) -> list[Recording]:
        return _halves_of(self._draw(0))

    def _drawn(self) -> list[Recording]:
        return [self._draw(k) for k in range(self.n_resampled)]

    def _draw(self, k: int) -> Recording:
        """The k-th uncoupled recording, the same at every call."""
        if self._neurons is None:
            self._neurons = UncoupledNeurons.of(
                self.recording, self.angle, np.random.default_rng([self.study.seed, 2])
            )
        return self._neurons.draw(np.random.default_rng([self.study.seed, 1, k]))

    def _with_direction_errors(self) -> list[Recording]:
        return [self._with_direction_error(k) for k in range(len(ERRORS_DEG))]

    def _with_direction_error(self, k: int) -> Recording:
        rng = np.random.default_rng([self.study.seed, 4, k])
        error_rad = np.deg2rad(ERRORS_DEG[k])
        return UncoupledNeurons.with_direction_error(
            self.recording, self.angle, error_rad, rng
        ).draw(rng)

    def _model(self, n_hidden: int, direction_known: bool) -> SpikePredictor:
        return self.build_model(self.study, n_hidden, (self.angle,) if direction_known else ())

    def _fitted(self, n_hidden: int, direction_known: bool, recording: Recording) -> SpikePredictor:
        """The model of a recording, or of spikes drawn in its place, before what scores it."""
        return self._model(n_hidden, direction_known).fit(_before_test(recording))

    def _fit(self, n_hidden: int, direction_known: bool) -> Fit:
        self.on_stage(_description(n_hidden, direction_known))

        def make() -> dict[str, np.ndarray]:
            model = self._fitted(n_hidden, direction_known, self.recording)
            packed = pack_circuits([model.connectivity_])
            return {**packed, "bits": model.evaluate(self.recording.between(*TEST)).per_neuron}

        name = _file_name(n_hidden, direction_known)
        bits = self.cache.arrays(name, make)["bits"]
        return Fit(self.cache.circuits(name, list, self.recording)[0], bits)

    def _uncoupled(self, n_hidden: int, direction_known: bool) -> list[Connectivity]:
        circuits = []
        for k in range(self.study.n_drawn(n_hidden, direction_known)):
            self.on_stage(
                f"{_description(n_hidden, direction_known)}, on uncoupled spikes ({k + 1})"
            )
            circuits += self.cache.circuits(
                f"{_file_name(n_hidden, direction_known)}_uncoupled_{k}",
                lambda k=k: [self._fitted(n_hidden, direction_known, self._draw(k)).connectivity_],
                self.recording,
            )
        return circuits

    def _fitted_to_direction_errors(self) -> list[Connectivity]:
        circuits, fewest = [], min(self.study.n_hidden)
        for k, error in enumerate(ERRORS_DEG):
            self.on_stage(f"CircuitGNN on surrogates with a direction error of {error:g}°")
            circuits += self.cache.circuits(
                f"{_file_name(fewest, direction_known=True)}_error_{error:g}",
                lambda k=k: [
                    self._fitted(fewest, True, self._with_direction_error(k)).connectivity_
                ],
                self.recording,
            )
        return circuits

    def _fitted_halves(self) -> list[Connectivity]:
        circuits = []
        for k in range(2):
            self.on_stage(f"CircuitGNN on half {k + 1}")
            circuits += self.cache.circuits(
                f"half_{k}",
                lambda k=k: [
                    self._model(0, direction_known=False).fit(self._halves()[k]).connectivity_
                ],
                self.recording,
            )
        return circuits

    def _elsewhere(self, path: Path) -> Elsewhere:
        """The model of the recording on other data, and the regression's circuit of these."""
        self.on_stage(f"elsewhere: {path.name}")

        def make() -> dict[str, np.ndarray]:
            other = same_cells(path, self.recording)
            bits = score_elsewhere(self._model_of_all(), other).score.per_neuron
            return {**pack_circuits([coupling(other, None)]), "bits": bits}

        name = f"elsewhere_{recording_digest(path)[:12]}"
        bits = self.cache.arrays(name, make)["bits"]
        return Elsewhere(path.stem, self.cache.circuits(name, list, self.recording)[0], bits)

    def _model_of_all(self) -> SpikePredictor:
        """The model of the whole recording, without the direction; fitted once."""
        if self._of_all is None:
            self._of_all = self._model(0, direction_known=False).fit(self.recording)
        return self._of_all


def same_cells(path: Path, recording: Recording) -> Recording:
    """The neurons of a recording in another one, by their names.

    Raises
    ------
    InputError
        Where the file cannot be read, or lacks one.
    """
    other, names = load(path).recording, recording.neuron_ids
    row = {name: number for number, name in enumerate(other.neuron_ids)}
    unknown = [name for name in names if name not in row]
    if unknown:
        raise InputError(
            f"{path} lacks {len(unknown)} of {len(names)} neurons, the first of them "
            f"{unknown[0]!r}; give other data of the same neurons, by the same names"
        )
    placed = other.select(np.array([row[name] for name in names]))
    return replace(placed, preferred_angle_rad=recording.preferred_angle_rad)


def _before_test(recording: Recording) -> Recording:
    """All but the part that scores."""
    return recording.between(FITTED[0], VALIDATION[1])


def _halves_of(recording: Recording) -> list[Recording]:
    return [recording.between(0.0, 0.5), recording.between(0.5, 1.0)]


def _description(n_hidden: int, direction_known: bool) -> str:
    """A model as messages name it."""
    return f"CircuitGNN, {n_hidden} hidden{', direction known' if direction_known else ''}"


def _file_name(n_hidden: int, direction_known: bool) -> str:
    """A model as files name it."""
    return f"circuit_{n_hidden}_hidden_{'with' if direction_known else 'without'}_direction"


def _check(study: HeadDirectionStudy) -> None:
    if study.draws < 1:
        raise InputError(f"--draws {study.draws} leaves no control; give 1 or more")
    if not study.n_hidden or min(study.n_hidden) < 0:
        raise InputError(
            f"{study.n_hidden} hidden neurons cannot be fitted; give one or more counts from 0 on"
        )
    if study.folder.exists() and not study.folder.is_dir():
        raise InputError(f"{study.folder} is a file; choose another name for the folder")
    is_used = study.folder.is_dir() and any(study.folder.iterdir())
    if is_used and not (study.folder / "steps").is_dir():
        raise InputError(f"{study.folder} holds other files; choose another folder")
    if not study.folder.parent.is_dir():
        raise InputError(f"there is no folder {study.folder.parent} to write into; create it first")
