"""What a row of the model sees of one recording: traces, hidden neurons and covariates."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from spikeweft.recording import Recording
from spikeweft.traces import Traces, set_shared, synaptic_traces

_N_HARMONICS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSettings:
    """What a fit is told."""

    tau_s: float | None
    history_window_s: float
    n_hidden: int
    covariates: tuple[str, ...]
    seed: int


def shared_width(recording: Recording, settings: FitSettings) -> int:
    """Columns that hidden neurons and covariates take."""
    widths = (
        2 * _N_HARMONICS if recording.covariates[name].is_angle else 1
        for name in settings.covariates
    )
    return settings.n_hidden + sum(widths)


def circuit_traces(
    recording: Recording,
    settings: FitSettings,
    tau_s: float,
    history_window_s: float,
    rng: np.random.Generator,
) -> Traces:
    """Traces of a recording with its covariates; hidden neurons' columns are still empty."""
    traces = synaptic_traces(
        recording,
        tau_s=tau_s,
        history_window_s=history_window_s,
        rng=rng,
        n_shared=shared_width(recording, settings),
    )
    first = settings.n_hidden
    for name in settings.covariates:
        covariate = recording.covariates[name]
        at_spikes, at_times = (
            covariate_columns(covariate.at(times), covariate.is_angle, _N_HARMONICS)
            for times in (traces.spike_times_s, traces.times_s)
        )
        set_shared(traces, first, at_spikes, at_times)
        first += at_times.shape[1]
    return traces


def covariate_columns(
    values: Float[np.ndarray, " time"], is_angle: bool, n_harmonics: int
) -> Float[np.ndarray, "time column"]:
    """A covariate as regressors: circular harmonics of an angle, otherwise the value itself."""
    if not is_angle:
        return values[:, None]
    order: Int[np.ndarray, " harmonic"] = np.arange(1, n_harmonics + 1)
    phase = values[:, None] * order
    return np.concatenate([np.cos(phase), np.sin(phase)], axis=1)
