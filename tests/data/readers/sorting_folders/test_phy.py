"""Folders of Phy and Kilosort."""

import numpy as np
import pytest

from spikeweft.data.readers.load import load
from spikeweft.errors import InputError

SAMPLES = np.array([300, 600, 750, 900, 1200, 1500, 30_000])

CLUSTERS = np.array([2, 7, 2, 3, 3, 7, 2])


@pytest.fixture
def write(tmp_path):
    """Write a folder as Kilosort does, and whatever else is asked for."""

    def written(samples=SAMPLES, clusters=CLUSTERS, rate="30000.0", **texts):
        np.save(tmp_path / "spike_times.npy", samples)
        np.save(tmp_path / "spike_clusters.npy", clusters)
        params = f"dat_path = r'C:\\data.bin'\nn_channels_dat = 4\nsample_rate = {rate}\n"
        (tmp_path / "params.py").write_text(params)
        for name, text in texts.items():
            (tmp_path / f"{name}.tsv").write_text(text)
        return tmp_path

    return written


def test_spikes_of_a_phy_folder_come_at_their_samples_and_clusters_keep_their_numbers(write):
    recording = load(write(SAMPLES[:, None].astype(np.uint64), CLUSTERS.astype(np.int32))).recording
    assert recording.neuron_ids == ("2", "3", "7")
    assert recording.n_spikes.tolist() == [3, 2, 2]
    assert recording.spike_times_s == pytest.approx(SAMPLES / 30_000)
    assert recording.time_resolution_s == pytest.approx(1 / 30_000)


def test_clusters_that_a_person_merged_go_before_templates(write):
    folder = write()
    np.save(folder / "spike_templates.npy", np.zeros(7, dtype=int))
    assert load(folder).recording.n_neurons == 3
    (folder / "spike_clusters.npy").unlink()
    assert load(folder).recording.neuron_ids == ("0",)


def test_noise_is_left_out_and_said_and_units_are_chosen_by_columns_of_the_tables(write):
    folder = write(
        cluster_group="cluster_id\tgroup\n2\tgood\n3\tmua\n7\tnoise\n",
        cluster_KSLabel="cluster_id\tKSLabel\n2\tgood\n3\tnoise\n7\tgood\n",
        cluster_info="cluster_id\tgroup\tdepth\n2\t\t10.5\n3\t\t\n7\t\t30\n",
    )
    loaded = load(folder)
    assert loaded.recording.neuron_ids == ("2", "3")
    assert loaded.recording.n_spikes.tolist() == [3, 2]
    assert loaded.warnings == (
        "1 of 3 clusters are labelled 'noise' and left out, with 2 spikes; relabel them in Phy to "
        "use them",
    )
    chosen = load(folder, units="group == 'good' and KSLabel == 'good' and depth < 15")
    assert chosen.recording.neuron_ids == ("2",)


def test_the_table_of_a_newer_phy_goes_before_that_of_an_older_and_contradictions_are_named(write):
    folder = write(
        cluster_group="cluster_id\tgroup\n2\tgood\n3\tmua\n7\tgood\n",
        cluster_Amplitude="cluster_id\tAmplitude\n2\t10.04999\n3\t20\n",
        cluster_info="cluster_id\tgroup\tAmplitude\n2\t\t10.05\n3\tmua\t20.0\n7\tgood\t3\n",
    )
    old = "cluster_id,group\n2,unsorted\n3,mua\n7,noise\n"
    (folder / "cluster_groups.csv").write_text(old)
    loaded = load(folder)
    assert loaded.recording.neuron_ids == ("2", "3", "7")
    assert loaded.warnings == (
        "cluster_info.tsv and cluster_groups.csv differ in 'group' of the clusters '7', and the "
        "latter is used",
        "cluster_groups.csv and cluster_group.tsv differ in 'group' of the clusters '2', '7', and "
        "the latter is used",
    )


def test_the_label_of_the_sorter_counts_where_nobody_judged(write):
    folder = write(
        cluster_group="cluster_id\tgroup\n2\tunsorted\n",
        cluster_KSLabel="cluster_id\tKSLabel\n2\tnoise\n3\tnoise\n7\tgood\n",
    )
    assert load(folder).recording.neuron_ids == ("7",)


def test_clusters_without_spikes_are_named(write):
    folder = write(cluster_group="cluster_id\tgroup\n2\tgood\n4\tgood\n5\tmua\n")
    assert load(folder).warnings == (
        "2 clusters that the tables list have no spikes and are left out: '4', '5'",
    )


def test_params_are_read_and_never_run(write, tmp_path):
    folder = write(rate="30000\nopen('ran', 'w')\nimport os\nos.abort()\nhp_filtered = f()")
    assert load(folder).recording.n_neurons == 3
    assert not list(tmp_path.glob("**/ran"))


@pytest.mark.parametrize("rate", ["0", "-1", "'fast'", "True", "[1]", "1e300"])
def test_a_sampling_rate_that_is_none_is_refused(write, rate):
    with pytest.raises(InputError, match=r"the sample_rate in .* is .*; give samples per second"):
        load(write(rate=rate))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"rate": "rate()"},
            "gives 'dat_path', 'n_channels_dat' but no sample_rate .*; add",
        ),
        ({"rate": "("}, r"params\.py cannot be read"),
        ({"samples": SAMPLES / 30_000}, r"a spike at sample 0\.01; give samples counted from 0"),
        ({"samples": SAMPLES - 500}, r"spikes? before sample 0, the first at -200"),
        ({"samples": np.where(SAMPLES > 800, np.nan, SAMPLES)}, "a spike at sample nan"),
        ({"samples": SAMPLES[:-1]}, r"has 7 clusters for 6 spikes in spike_times\.npy"),
        ({"samples": SAMPLES.astype(str)}, "not one number for each spike"),
        ({"samples": np.stack([SAMPLES, SAMPLES])}, "not one number for each spike"),
        ({"samples": SAMPLES.astype(object)}, "pickled Python objects, which are never opened"),
        ({"clusters": CLUSTERS - 3}, "holds the cluster -1; label clusters"),
        ({"clusters": CLUSTERS + 0.5}, r"holds the cluster 2\.5"),
        ({"clusters": CLUSTERS[:0], "samples": SAMPLES[:0]}, "has no units"),
        ({"cluster_group": "cluster_id\tgroup\n2\tnoise\n3\tnoise\n7\tnoise\n"}, "all 3 clusters"),
        ({"cluster_group": "unit\tgroup\n2\tgood\n"}, "columns 'unit', 'group' but none of"),
        ({"cluster_group": "cluster_id\tgroup\n2\tgood\n2\tmua\n"}, "does not number clusters"),
        ({"cluster_group": "cluster_id\tgroup\na\tgood\n"}, "does not number clusters"),
        ({"cluster_group": ""}, r"cluster_group\.tsv cannot be read"),
    ],
)
def test_a_folder_that_does_not_fit_together_is_one_sentence(write, options, sentence):
    with pytest.raises(InputError, match=sentence):
        load(write(**options))


def test_a_folder_without_params_or_with_damaged_arrays_is_one_sentence(write):
    folder = write()
    (folder / "params.py").unlink()
    with pytest.raises(InputError, match=r"no params\.py, .*a line such as sample_rate = 30000"):
        load(folder)
    folder = write()
    (folder / "spike_times.npy").write_bytes(b"\x93NUMPY\x01")
    with pytest.raises(InputError, match=r"spike_times\.npy cannot be read"):
        load(folder)
    (folder / "spike_times.npy").write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(InputError, match="pickled Python objects, which are never opened"):
        load(folder)


def test_the_folder_that_is_meant_is_named_where_it_lies_deeper(write, tmp_path):
    write().rename(tmp_path.parent / "kilosort4")
    tmp_path.mkdir()
    (tmp_path.parent / "kilosort4").rename(tmp_path / "kilosort4")
    with pytest.raises(InputError, match=r"there are such in it; give one of 'kilosort4'"):
        load(tmp_path)


@pytest.mark.slow
def test_what_spikeinterface_exports_to_phy_is_read(tmp_path):
    core = pytest.importorskip("spikeinterface.core", reason="pip install spikeinterface")
    exporters = pytest.importorskip("spikeinterface.exporters")
    recording, sorting = core.generate_ground_truth_recording(
        durations=[10.0], num_channels=4, num_units=5, seed=1
    )
    analyzer = core.create_sorting_analyzer(sorting, recording, sparse=False)
    analyzer.compute(["random_spikes", "waveforms", "templates", "noise_levels"])
    exporters.export_to_phy(
        analyzer,
        tmp_path / "phy",
        compute_pc_features=False,
        compute_amplitudes=False,
        copy_binary=False,
        verbose=False,
    )
    found = load(tmp_path / "phy").recording
    expected = sorting.get_unit_spike_train(sorting.unit_ids[0], return_times=True)
    assert found.n_neurons == 5
    assert found.spike_times_s[found.spike_neurons == 0] == pytest.approx(expected)


def test_samples_that_ran_over_32_bits_are_refused(tmp_path):
    samples = np.arange(2**31 - 5, 2**31 + 5)
    np.save(tmp_path / "spike_times.npy", samples.astype(np.int32))
    np.save(tmp_path / "spike_clusters.npy", np.arange(10) % 2)
    (tmp_path / "params.py").write_text("sample_rate = 30000\n")
    with pytest.raises(InputError, match=r"holds 5 spikes before sample 0, the first at -2,147,4"):
        load(tmp_path)
