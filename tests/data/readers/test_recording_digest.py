import hashlib

import numpy as np
import pytest

from spikeweft.data.readers.recording_digest import recording_digest
from spikeweft.errors import InputError


def test_a_file_is_known_by_the_sha256_of_its_bytes(tmp_path):
    (tmp_path / "recording.npz").write_bytes(b"spikes")
    digest = hashlib.sha256(b"spikes").hexdigest()
    assert recording_digest(tmp_path / "recording.npz") == digest
    with pytest.raises(InputError, match="cannot be read"):
        recording_digest(tmp_path / "none.npz")


def test_a_folder_is_known_by_what_is_read_of_it_wherever_it_lies(tmp_path):
    folder = tmp_path / "phy"
    folder.mkdir()
    for name in ("spike_times", "spike_clusters"):
        np.save(folder / f"{name}.npy", np.arange(3))
    before = recording_digest(folder)
    (folder / "temp_wh.dat").write_bytes(b"raw traces")
    (folder / ".phy").mkdir()
    (folder / ".phy" / "state.json").write_text("{}")
    moved = folder.rename(tmp_path / "moved")
    assert recording_digest(moved) == before
    (moved / "cluster_group.tsv").write_text("cluster_id\tgroup\n1\tnoise\n")
    assert recording_digest(moved) != before
