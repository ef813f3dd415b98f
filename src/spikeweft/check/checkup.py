"""All checks of a recording, in the order in which they are reported."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from spikeweft.check.expected_cost import cost
from spikeweft.check.expected_error import expected_error, pilot, spikes_per_weight
from spikeweft.check.findings import Checkup, Finding, Severity, listed
from spikeweft.check.recorded_time import gaps, time_resolution, unmarked_gaps
from spikeweft.check.single_units import firing, fitted_part, refractory_period, stationarity
from spikeweft.check.unit_pairs import bursts, coincidences, duplicates, synchrony
from spikeweft.circuit_gnn.estimator import neurons_that_fire
from spikeweft.data.file_contents.selection import USUAL, Selection
from spikeweft.data.file_contents.sentences import Alarm, counted
from spikeweft.data.holdout import (
    HISTORY_WINDOW_S,
    LONGEST_S,
    VALIDATION_FRACTION,
    split,
    training_and_test,
)
from spikeweft.data.readers.load import load_selection
from spikeweft.data.recording import Recording
from spikeweft.data.sorting_artefacts import resolves_artefacts, sorting_artefacts
from spikeweft.errors import InputError
from spikeweft.estimator import check_enough_neurons

_SEED = 0


def check_file(
    path: Path | str,
    selection: Selection = USUAL,
    *,
    minutes: float | None = None,
    on_stage: Callable[[str], None] = lambda _: None,
) -> Checkup:
    """Check the part of a recording that an inference would use.

    Parameters
    ----------
    path, minutes
        As in `inference.settings.Inference`.
    selection
        What of the file is used.
    on_stage
        Called with a few words when something begins that takes time.

    Raises
    ------
    InputError
        Where the file cannot be read, or its recording cannot be used at all.
    """
    on_stage("reading")
    loaded = load_selection(Path(path), selection)
    recording = loaded.recording
    if minutes is not None:
        recording = recording.first_minutes(minutes)
    found = check(recording, on_stage)
    about_file = [_about_file(sentence) for sentence in loaded.warnings]
    return Checkup(source=Path(path).name, facts=_facts(recording), findings=[*about_file, *found])


def _about_file(sentence: str) -> Finding:
    return Finding(
        topic="the file",
        severity=Severity.WARNING if isinstance(sentence, Alarm) else Severity.NOTE,
        summary=sentence[:1].upper() + sentence[1:] + ".",
    )


def check(recording: Recording, on_stage: Callable[[str], None] = lambda _: None) -> list[Finding]:
    """Facts and findings about a recording before its circuit is inferred.

    Raises
    ------
    InputError
        Where the recording cannot be used at all.
    """
    check_enough_neurons(recording)
    refused = cannot_be_fitted(recording)
    if refused and recording.duration_s > LONGEST_S:
        return refused
    on_stage("looking at each neuron")
    found = [*refused, firing(recording), fitted_part(recording)]
    found += [refractory_period(recording), stationarity(recording)]
    on_stage("looking at neurons together")
    close = coincidences(recording)
    found += [duplicates(recording, close), synchrony(recording, close), unseen(recording)]
    found.append(bursts(recording))
    on_stage("looking at the clock")
    found += [gaps(recording), unmarked_gaps(recording), time_resolution(recording)]
    quick = None if refused else pilot(recording, np.random.default_rng(_SEED), on_stage)
    on_stage("looking ahead")
    found += [spikes_per_weight(recording), expected_error(recording, quick)]
    return found if refused else [*found, cost(recording, quick)]


def cannot_be_fitted(recording: Recording) -> list[Finding]:
    """Why an inference would refuse the recording, if it would."""
    try:
        training, _ = training_and_test(recording, HISTORY_WINDOW_S)
        neurons_that_fire(split(training, VALIDATION_FRACTION)[0], HISTORY_WINDOW_S)
    except InputError as error:
        why, _, remedy = str(error).partition("; ")
        return [
            Finding(
                topic="fitting",
                severity=Severity.PROBLEM,
                summary=f"Nothing can be inferred: {why}.",
                remedy=f"{remedy[:1].upper()}{remedy[1:]}.",
            )
        ]
    return []


def unseen(recording: Recording) -> Finding:
    """Pairs of neurons whose overlapping spikes sorting has missed."""
    found = sorting_artefacts(recording)
    names = recording.neuron_ids
    said = listed(
        f"{names[i]} and {names[j]} ({artefact.n_within} times where {artefact.n_expected:.0f} are "
        "expected)"
        for artefact in found
        for i, j in [artefact.neurons]
    )
    resolved = resolves_artefacts(recording)
    if not resolved:
        summary = "Spike times are too coarse to see whether sorting missed overlapping spikes."
    elif found:
        summary = (
            f"{counted(len(found), 'pair')} almost never fired within half a millisecond: {said}."
        )
    else:
        summary = "No pair seems to have lost spikes where the two overlap."
    return Finding(
        topic="overlapping spikes",
        severity=Severity.WARNING if found else Severity.FINE if resolved else Severity.NOTE,
        summary=summary,
        remedy="Do not read inhibition between these pairs: sorting missed what overlapped."
        if found
        else "",
        numbers={"n_pairs": len(found)},
    )


def _facts(recording: Recording) -> dict[str, float | int]:
    return {
        "n_neurons": recording.n_neurons,
        "n_spikes": len(recording.spike_times_s),
        "duration_s": recording.duration_s,
        "n_epochs": len(recording.epochs_s),
    }
