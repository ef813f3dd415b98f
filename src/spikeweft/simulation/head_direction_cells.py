"""Head-direction cells without a single connection, for counting false alarms.

It shares nothing with `resample`: the neurons differ in width, shape and delay of tuning, are
refractory, burst, and drift in excitability, all on a grid of a millisecond.
"""

from typing import no_type_check

import numba
import numpy as np
from jaxtyping import Float

from spikeweft.data.covariate import Covariate
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.runtime.whole_numbers import is_whole
from spikeweft.simulation.networks import whole_steps
from spikeweft.simulation.settings import check_memory

TIME_STEP_S = 1e-3

ANGLE_STEP_S = 0.01

_TURN_RAD_S = np.deg2rad(120.0)

_TURN_TAU_S = 0.4

_DRIFT_SD = 0.2

_DRIFT_TAU_S = 10.0

_LONGEST_DELAY_S = 0.04

_CLOCK_ERROR_S = 0.05

_BYTES_PER_STEP = 40.0


def unconnected_population(
    n_neurons: int, duration_s: float, rng: np.random.Generator, angle: str = "direction"
) -> Recording:
    """Spikes of unconnected neurons that a wandering direction drives.

    Every neuron has a preferred direction, a von Mises tuning curve with a concentration of 1 to
    10 that may be lopsided, a peak of 5 to 60 Hz and a floor; it is ahead of the direction by 0 to
    40 ms, as cells of the anterior thalamus are (Blair & Sharp 1995), refractory for 1 to 3 ms,
    then recovers or bursts, and its excitability drifts within some ten seconds. The clock of the
    direction is off by up to 50 ms.

    Raises
    ------
    InputError
        Where there is no neuron, the duration is not at least one step, or no neuron fires in it.
    """
    if not is_whole(n_neurons, 1):
        raise InputError(f"{n_neurons} neurons are no population; ask for at least one")
    n_steps = whole_steps(duration_s, TIME_STEP_S)
    check_memory(f"a simulation of {duration_s:g} s", _BYTES_PER_STEP * n_steps, "seconds")
    spare = round((_LONGEST_DELAY_S + _CLOCK_ERROR_S) / TIME_STEP_S) + 1
    direction = _wander(n_steps + 2 * spare, rng)
    clock = round(_CLOCK_ERROR_S / TIME_STEP_S)
    recorded = direction[spare + rng.integers(-clock, clock + 1) :]
    delayed = direction[spare:]
    preferred = rng.uniform(0.0, 2 * np.pi, n_neurons)
    trains = [_train(delayed, preferred[i], n_steps, rng) for i in range(n_neurons)]
    every = round(ANGLE_STEP_S / TIME_STEP_S)
    sampled = np.arange(every // 2, n_steps, every)
    if not any(map(len, trains)) or len(sampled) == 0:
        raise InputError(f"no neuron fires in {duration_s:g} s; ask for a longer simulation")
    return Recording.from_arrays(
        np.concatenate(trains) * TIME_STEP_S,
        np.repeat(np.arange(n_neurons), [len(train) for train in trains]),
        n_neurons=n_neurons,
        epochs_s=np.array([[0.0, n_steps * TIME_STEP_S]]),
        time_resolution_s=TIME_STEP_S,
        covariates={
            angle: Covariate(
                times_s=sampled * TIME_STEP_S,
                values=np.mod(recorded[sampled], 2 * np.pi),
                is_angle=True,
            )
        },
    )


def _wander(n_steps: int, rng: np.random.Generator) -> Float[np.ndarray, " step"]:
    """A direction whose angular velocity is an Ornstein-Uhlenbeck process."""
    return rng.uniform(0, 2 * np.pi) + TIME_STEP_S * np.cumsum(
        _wave(n_steps, _TURN_RAD_S, _TURN_TAU_S, rng)
    )


def _wave(n_steps: int, sd: float, tau_s: float, rng: np.random.Generator) -> np.ndarray:
    """An Ornstein-Uhlenbeck process of this standard deviation and correlation time."""
    kept = float(np.exp(-TIME_STEP_S / tau_s))
    return _follow(rng.standard_normal(n_steps) * sd, kept, float(np.sqrt(1 - kept**2)))


def _train(
    direction: Float[np.ndarray, " step"],
    preferred_rad: float,
    n_steps: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Steps at which one neuron fires."""
    ahead = rng.integers(0, round(_LONGEST_DELAY_S / TIME_STEP_S) + 1)
    away = direction[ahead : ahead + n_steps] - preferred_rad
    concentration, lopsided = np.exp(rng.uniform(0.0, np.log(10.0))), rng.uniform(-0.4, 0.4)
    peak_hz, floor_hz = np.exp(rng.uniform(np.log(5.0), np.log(60.0))), rng.uniform(0.05, 1.5)
    tuned = np.exp(concentration * (np.cos(away + lopsided * np.sin(away)) - 1))
    drift = np.exp(_wave(n_steps, _DRIFT_SD, _DRIFT_TAU_S, rng))
    silent = rng.integers(1, 4)
    recovery, burst = np.exp(-TIME_STEP_S / rng.uniform(0.002, 0.02)), rng.uniform(-1.0, 2.0)
    return _fire((floor_hz + peak_hz * tuned) * drift * TIME_STEP_S, silent, recovery, burst, rng)


@numba.njit(cache=True, nogil=True)
@no_type_check  # numba compiles these; their callers are checked
def _follow(noise, kept, added):
    value = noise[0]
    for t in range(len(noise)):
        value = kept * value + added * noise[t]
        noise[t] = value
    return noise


@numba.njit(cache=True, nogil=True)
@no_type_check
def _fire(expected, silent, recovery, burst, rng):
    steps, quiet, extra = [], 0, 0.0
    for t in range(len(expected)):
        if quiet > 0:
            quiet -= 1
        elif rng.random() < expected[t] * (1.0 + extra):
            steps.append(t)
            quiet = silent
            extra = burst
            continue
        if quiet == 0:
            extra *= recovery
    return np.array(steps, dtype=np.int64)
