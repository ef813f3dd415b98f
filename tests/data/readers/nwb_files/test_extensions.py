"""NWB files that hold types of extensions which are not installed."""

import json

import h5py
import numpy as np
import pytest

from spikeweft.data.readers.load import contents_of, load
from spikeweft.errors import InputError

NAMESPACE = {
    "name": "ndx-events",
    "version": "0.2.0",
    "doc": "events",
    "author": ["nobody"],
    "contact": ["nobody"],
    "schema": [{"namespace": "core"}, {"source": "ndx-events.extensions"}],
}

TYPES = [
    {"neurodata_type_def": name, "neurodata_type_inc": of, "doc": "of this extension"}
    for name, of in (("AnnotatedEventsTable", "DynamicTable"), ("Pulses", "TimeSeries"))
]


def with_extension(path, **groups):
    """Put groups with these attributes into a file, and the definition of their types."""
    with h5py.File(path, "r+") as file:
        place = file.create_group("specifications/ndx-events/0.2.0")
        place["namespace"] = json.dumps({"namespaces": [NAMESPACE]})
        place["ndx-events.extensions"] = json.dumps({"groups": TYPES})
        for name, attributes in groups.items():
            group = file.create_group(f"acquisition/{name}")
            group.attrs.update({"object_id": name, "namespace": "ndx-events", **attributes})
    return path


def add_table(path):
    attributes = {
        "neurodata_type": "AnnotatedEventsTable",
        "description": "rewards",
        "colnames": np.array([], dtype=h5py.string_dtype()),
    }
    with_extension(path, rewards=attributes)
    with h5py.File(path, "r+") as file:
        ids = file["acquisition/rewards"].create_dataset("id", data=np.arange(3))
        ids.attrs.update(
            {"neurodata_type": "ElementIdentifiers", "namespace": "hdmf-common", "object_id": "i"}
        )


def test_events_of_a_type_that_is_not_read_are_said(write_nwb):
    path = write_nwb()
    add_table(path)
    loaded = load(path)
    assert loaded.recording.n_neurons == load(write_nwb()).recording.n_neurons
    (said,) = loaded.warnings
    assert said.startswith("the events 'rewards' are of the type AnnotatedEventsTable, which is")


def test_what_an_extension_defines_and_cannot_be_built_is_left_out_and_said(write_nwb):
    sound = contents_of(write_nwb())
    pulses = {"neurodata_type": "Pulses"}  # without any data
    path = with_extension(write_nwb(), pulses=pulses, more=pulses)
    found = contents_of(path)
    np.testing.assert_array_equal(found.spike_times_s, sound.spike_times_s)
    assert sorted(found.warnings) == [
        f"{name!r} is left out, since this version of pynwb cannot build its type, Pulses of the "
        "extension ndx-events"
        for name in ("more", "pulses")
    ]


def test_what_is_of_nwb_itself_and_cannot_be_built_is_damage(write_nwb):
    path = with_extension(write_nwb(), pulses={"neurodata_type": "TimeSeries", "namespace": "core"})
    with pytest.raises(InputError, match=r"cannot be read .* check that it is whole"):
        load(path)
