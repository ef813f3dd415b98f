import numpy as np
import pytest

from spikeweft.errors import InputError
from spikeweft.runtime import memory
from spikeweft.runtime.isolated_call import alone
from spikeweft.runtime.memory import MIB, available_memory_mb, check_room, peak_memory_mb


@pytest.fixture
def limited(tmp_path, monkeypatch):
    """A machine whose control groups hold what is written into the fixture's folder."""
    monkeypatch.setattr(memory, "_GROUPS", tmp_path)
    monkeypatch.setattr(memory, "_OWN_GROUPS", tmp_path / "own")
    for name in ("SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU", "SLURM_CPUS_ON_NODE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def written(folder, **contents):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / f"memory.{name}").write_text(f"{content}\n")


def test_peak_memory_is_that_of_the_process_itself():
    block = np.ones(2**25)
    assert peak_memory_mb() > block.nbytes / 2**20
    assert alone(peak_memory_mb) < peak_memory_mb()


def test_a_container_may_take_what_its_group_leaves(limited):
    """Of a group without a limit, what the group around it leaves; files it read are given back."""
    (limited / "own").write_text("0::/job/step\n")
    written(limited / "job" / "step", max="max", current=4 * MIB, stat="inactive_file 0")
    written(limited / "job", max=7 * MIB, current=5 * MIB, stat=f"anon 1\ninactive_file {MIB}")
    assert available_memory_mb() == pytest.approx(3.0)
    read = f"inactive_file {MIB}\nactive_file {MIB}\nslab_reclaimable {MIB}\nslab_unreclaimable 9"
    written(limited / "job", max=7 * MIB, current=5 * MIB, stat=read)
    assert available_memory_mb() == pytest.approx(5.0)


@pytest.mark.parametrize("shown", ["memory/docker/a", "memory"])
def test_a_group_of_the_first_kind_limits_too(limited, shown):
    """Inside a container its own group is shown as the root."""
    (limited / "own").write_text("5:cpu:/\n4:memory:/docker/a\n0::/\n")
    files = {"limit_in_bytes": 8 * MIB, "usage_in_bytes": 6 * MIB, "stat": "total_inactive_file 0"}
    written(limited / shown, **files)
    assert available_memory_mb() == pytest.approx(2.0)


def test_what_has_no_limit_limits_nothing(limited, monkeypatch):
    monkeypatch.setattr(memory, "_kib_of", lambda *_: 2**20)
    (limited / "own").write_text("4:memory:/\n")
    no_limit = {"limit_in_bytes": 2**63 - 4096, "usage_in_bytes": MIB, "stat": ""}
    written(limited / "memory", **no_limit)
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "0")
    assert available_memory_mb() == pytest.approx(1024.0)


def test_a_slurm_job_may_take_what_it_asked_for(limited, monkeypatch):
    monkeypatch.setattr(memory, "memory_in_use_mb", lambda: 100.0)
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "600")
    assert available_memory_mb() == pytest.approx(500.0)
    monkeypatch.delenv("SLURM_MEM_PER_NODE")
    monkeypatch.setenv("SLURM_MEM_PER_CPU", "200")
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "2")
    assert available_memory_mb() == pytest.approx(300.0)


def test_what_surely_does_not_fit_is_refused_with_the_remedy():
    check_room("a fit", 1000.0, 900.0, "use less")
    with pytest.raises(
        InputError, match=r"a fit takes about 2 GB of memory, and 1 GB .*; use less"
    ):
        check_room("a fit", 2048.0, 1024.0, "use less")
