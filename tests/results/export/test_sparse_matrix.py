import numpy as np
from scipy.sparse import load_npz

from spikeweft.results.export.choice import Choice
from spikeweft.results.export.sparse_matrix import write_npz


def test_scipy_reads_the_weights_and_numpy_the_names(circuit, tmp_path):
    assert write_npz(tmp_path / "c.npz", circuit, Choice()) == 2
    weights = load_npz(tmp_path / "c.npz")
    np.testing.assert_array_equal(weights.toarray(), circuit.to_sparse().toarray())
    assert weights[1, 0] == 1.0 / 3.0
    with np.load(tmp_path / "c.npz", allow_pickle=False) as arrays:
        assert tuple(arrays["neuron_ids"]) == circuit.neuron_ids


def test_the_same_circuit_gives_the_same_bytes(circuit, tmp_path):
    for name in ("a.npz", "b.npz"):
        write_npz(tmp_path / name, circuit, Choice(threshold=0.5))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
