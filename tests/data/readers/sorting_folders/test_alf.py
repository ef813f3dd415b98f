"""Folders in ALF, the format of the International Brain Laboratory."""

import os
import sys

import numpy as np
import pandas as pd
import pytest

from spikeweft.data.readers.load import load
from spikeweft.errors import InputError

TIMES_S = np.array([0.1, 0.25, 0.5, 0.75, 1.5, 9.0])

CLUSTERS = np.array([4, 0, 4, 2, 2, 4])


@pytest.fixture
def write(tmp_path):
    def written(times=TIMES_S, clusters=CLUSTERS, part="", **arrays):
        np.save(tmp_path / f"spikes.times{part}.npy", times)
        np.save(tmp_path / f"spikes.clusters{part}.npy", clusters)
        for name, array in arrays.items():
            np.save(tmp_path / f"clusters.{name}{part}.npy", array)
        return tmp_path

    return written


@pytest.mark.parametrize("part", ["", ".8c1b3c9e-0001-4b6e-9d5a-0123456789ab"])
def test_spikes_of_an_alf_folder_are_in_seconds_whatever_parts_its_names_have(write, part):
    loaded = load(write(part=part, depths=np.array([10.0, 20, 30, 40, 50])))
    assert loaded.recording.neuron_ids == ("0", "2", "4")
    assert loaded.recording.spike_times_s.tolist() == TIMES_S.tolist()
    assert loaded.recording.spike_neurons.tolist() == [2, 0, 2, 1, 1, 2]
    assert loaded.warnings == ()


def test_units_are_chosen_by_metrics_and_by_arrays_of_the_clusters(write):
    folder = write(
        depths=np.array([10.0, 20, 30, 40, 50]),
        channels=np.array([1, 2, 3, 4, 5]),
        waveforms=np.zeros((5, 3, 2)),
    )
    metrics = pd.DataFrame({"cluster_id": [0, 2, 4], "label": [1.0, 0.3, 1.0]})
    metrics.to_csv(folder / "clusters.metrics.csv")
    pd.DataFrame({"uuids": list("abcde")}).to_csv(folder / "clusters.uuids.csv", index=False)
    assert load(folder, units="label == 1").recording.neuron_ids == ("0", "4")
    assert load(folder, units="depths > 20 and channels < 5").recording.neuron_ids == ("2",)
    chosen = load(folder, units="uuid == 'e'")
    assert chosen.recording.neuron_ids == ("4",)
    assert chosen.warnings == (
        "2 clusters that the tables list have no spikes and are left out: '1', '3'",
        "1 of 3 units are used, as asked for",
    )


@pytest.mark.parametrize("named", [True, False])
def test_metrics_in_parquet_are_read(write, named):
    pytest.importorskip("pyarrow", reason="pip install pyarrow")
    folder = write()
    metrics = pd.DataFrame({"cluster_id": [0, 2, 4], "label": [1.0, 0.3, 1.0]})
    metrics = metrics.set_index("cluster_id") if named else metrics
    metrics.to_parquet(folder / "clusters.metrics.pqt")
    assert load(folder, units="label == 1").recording.neuron_ids == ("0", "4")


def test_without_pyarrow_the_user_is_told_what_to_install(write, monkeypatch):
    folder = write()
    (folder / "clusters.metrics.pqt").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pyarrow is not installed; .*'spikeweft\[parquet\]'"):
        load(folder)


def test_two_probes_in_one_folder_are_not_mixed(write):
    write(part=".a")
    with pytest.raises(InputError, match=r"several files of spikes\.times\.npy: 'spikes\.times\.a"):
        load(write(part=".b"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"times": np.where(TIMES_S > 1, np.nan, TIMES_S)}, "2 spike times in .* are not finite"),
        ({"times": TIMES_S[:-1]}, "has 6 clusters for 5 spikes"),
        ({"clusters": CLUSTERS - 1}, "holds the cluster -1"),
        ({"clusters": CLUSTERS * np.nan}, "holds the cluster nan"),
        ({"clusters": CLUSTERS + np.inf}, "holds the cluster inf"),
        ({"times": TIMES_S.astype(object)}, "pickled Python objects, which are never opened"),
        ({"depths": np.arange(3.0)}, "has 3 values, but the spikes have the cluster 4"),
        ({"times": TIMES_S[:0], "clusters": CLUSTERS[:0]}, "has no units"),
    ],
)
def test_a_folder_that_does_not_fit_together_is_one_sentence(write, options, sentence):
    with pytest.raises(InputError, match=sentence):
        load(write(**options))


def test_an_array_of_the_clusters_that_is_pickled_is_left_out_and_said(write):
    loaded = load(write(acronym=np.array(["CA1"] * 5, dtype=object)))
    assert loaded.recording.n_neurons == 3
    assert loaded.warnings == (
        "clusters.acronym.npy holds pickled Python objects, which are never opened, and is left "
        "out",
    )


def test_metrics_that_number_no_clusters_are_refused(write):
    folder = write()
    pd.DataFrame({"label": [1.0]}).to_csv(folder / "clusters.metrics.csv", index=False)
    with pytest.raises(InputError, match="has the columns 'label' but none of 'cluster_id'"):
        load(folder)


@pytest.mark.parametrize("cluster", [np.inf, 1e300, -np.inf, 2.0**60])
def test_a_cluster_that_is_no_whole_number_is_refused(write, cluster):
    clusters = CLUSTERS.astype(float)
    clusters[1] = cluster
    with pytest.raises(InputError, match="label clusters with whole numbers from 0 on"):
        load(write(clusters=clusters))
    pd.DataFrame({"cluster_id": [0, cluster]}).to_csv(write() / "clusters.metrics.csv")
    with pytest.raises(InputError, match=r"'cluster_id' of .* does not number clusters"):
        load(write())


def test_numbers_of_the_other_byte_order_are_the_same_numbers(write):
    depths = np.array([10.0, 20, 30, 40, 50])
    as_usual = load(write(depths=depths), units="depths > 20").recording
    others = {"times": TIMES_S.astype(">f8"), "clusters": CLUSTERS.astype(">i4")}
    recording = load(write(**others, depths=depths.astype(">f4")), units="depths > 20").recording
    assert recording.neuron_ids == as_usual.neuron_ids
    assert recording.spike_times_s.tolist() == as_usual.spike_times_s.tolist()


@pytest.mark.parametrize("name", ["spikes.clusters.npy", "clusters.metrics.csv", "clusters.x.npy"])
def test_pipes_and_devices_which_never_end_are_not_read(write, name):
    path = write() / name
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")
    with pytest.raises(InputError, match=f"{name} is a pipe or a device and not a file"):
        load(path.parent)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InputError, match=f"{name} is a pipe or a device and not a file"):
        load(path.parent)


@pytest.mark.parametrize("name", ["uuids", "metrics"])
def test_a_table_whose_rows_have_more_values_than_columns_is_refused(write, name):
    (write() / f"clusters.{name}.csv").write_text("cluster_id\na,0\na,2\nb,4\n")
    with pytest.raises(InputError, match="rows with more values; name each column"):
        load(write())
