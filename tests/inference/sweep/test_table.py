from spikeweft.inference.settings import Inference
from spikeweft.inference.sweep.table import failed_row


def test_a_failed_fit_has_the_command_that_makes_it_or_none(tmp_path):
    """`infer` would choose between two models, where a fit of a sweep has one."""
    asked = {"recording": tmp_path / "a.npz", "folder": tmp_path / "fits" / "a"}
    assert failed_row(Inference(**asked), "no memory").command is None
    hidden = Inference(**asked, n_hidden=5)
    assert failed_row(hidden, "no memory").command == hidden.command
