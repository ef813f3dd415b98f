"""Recordings from SpikeInterface's objects."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spikeweft.data.file_contents.chosen_recording import chosen_recording, with_warnings_shown
from spikeweft.data.file_contents.contents import FileContents, LabelledEpoch
from spikeweft.data.file_contents.selection import Selection
from spikeweft.data.readers.sorting_folders.samples import check_one_segment, plain_column
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError, needs_extra

if TYPE_CHECKING:
    from spikeinterface.core import BaseSorting, SortingAnalyzer

_WHERE = Path("the SpikeInterface object")

_RECORDING = "recording"


def from_spikeinterface(
    sorting_or_analyzer: "BaseSorting | SortingAnalyzer", *, units: str | None = None
) -> Recording:
    """Recording from a sorting or a sorting analyzer of SpikeInterface, with one segment.

    Times are those that the object gives, also where a recording is registered with it. The epoch
    is that of the recording where the object knows it, else from the first to the last spike.

    Parameters
    ----------
    sorting_or_analyzer
        The object.
    units
        An expression over the properties of the units, and the quality metrics of an analyzer that
        has computed them, such as "snr > 5 and quality == 'good'".

    Raises
    ------
    InputError
        Where SpikeInterface is not installed, the object is another, has several segments or no
        spikes, or no unit is left.
    """
    contents = spikeinterface_object_contents(sorting_or_analyzer)
    return with_warnings_shown(chosen_recording(contents, Selection(units=units)))


def spikeinterface_object_contents(sorting_or_analyzer: Any) -> FileContents:
    """What a sorting or an analyzer holds; as `from_spikeinterface` reads it."""
    with needs_extra("spikeinterface"):
        from spikeinterface.core import BaseSorting, SortingAnalyzer
    is_analyzer = isinstance(sorting_or_analyzer, SortingAnalyzer)
    sorting = sorting_or_analyzer.sorting if is_analyzer else sorting_or_analyzer
    if not isinstance(sorting, BaseSorting):
        raise InputError(
            f"a {type(sorting).__name__} is no sorting; give a sorting or a SortingAnalyzer"
        )
    check_one_segment(sorting.get_num_segments(), _WHERE)
    columns = {
        name: values
        for name in sorting.get_property_keys()
        if (values := plain_column(sorting.get_property(name), len(sorting.unit_ids))) is not None
    }
    span_s = _analyzer_span_s(sorting_or_analyzer) if is_analyzer else _span_s(sorting)
    return FileContents.of_trains(
        _WHERE,
        [sorting.get_unit_spike_train(unit, return_times=True) for unit in sorting.unit_ids],
        [str(unit) for unit in sorting.unit_ids],
        unit_columns={**columns, **(_metrics(sorting_or_analyzer) if is_analyzer else {})},
        epochs={} if span_s is None else {_RECORDING: [LabelledEpoch(*span_s, frozenset())]},
        usual_epochs=None if span_s is None else _RECORDING,
        time_resolution_s=1 / float(sorting.sampling_frequency),
    )


def _span_s(sorting: "BaseSorting") -> tuple[float, float] | None:
    """Start and end of the recording that a sorting is registered with; None without one."""
    if not sorting.has_recording():
        return None
    first_s, last_s = (
        float(sorting.sample_index_to_time(sample, segment_index=0))
        for sample in (0, sorting.get_num_samples(0) - 1)
    )
    return first_s, last_s + 1 / float(sorting.sampling_frequency)


def _analyzer_span_s(analyzer: "SortingAnalyzer") -> tuple[float, float] | None:
    """As of its sorting; without a recording there, samples are counted from its start."""
    first_s = float(analyzer.sorting.sample_index_to_time(0, segment_index=0))
    lasts_s = analyzer.get_num_samples(0) / float(analyzer.sampling_frequency)
    return _span_s(analyzer.sorting) or (first_s, first_s + lasts_s)


def _metrics(analyzer: "SortingAnalyzer") -> dict[str, list[Any]]:
    metrics = analyzer.get_extension("quality_metrics")
    if metrics is None:
        return {}
    table = metrics.get_data()
    return {str(name): np.asarray(table[name]).tolist() for name in table.columns}
