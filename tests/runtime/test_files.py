import errno
import os
import signal
import subprocess
import sys

import pytest

from spikeweft.errors import InputError
from spikeweft.runtime.files import check_new_file, only_writer, replacing, write_whole


def test_a_file_is_replaced_whole_and_as_readable_as_others(tmp_path):
    path = tmp_path / "table.csv"
    before = os.umask(0o022)
    try:
        write_whole(path, b"old")
        write_whole(path, b"new")
    finally:
        os.umask(before)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "table.csv"
    write_whole(path, b"old")

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(InputError, match=r"table\.csv.*No space left on device"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_second_writer_is_told_so(tmp_path):
    lock = tmp_path / "lock"
    with (
        only_writer(lock, "somebody is at work"),
        pytest.raises(InputError, match="somebody is at work"),
        only_writer(lock, "somebody is at work"),
    ):
        pass
    with only_writer(lock, "somebody is at work"):
        pass
    assert not lock.exists()


def test_a_lock_that_was_taken_away_while_it_was_waited_for_does_not_count(tmp_path, monkeypatch):
    """The writer before was done, and its folder has another name now."""
    lock = tmp_path / "lock"
    monkeypatch.setattr("fcntl.flock", lambda *_: lock.unlink())
    with pytest.raises(InputError, match="busy"), only_writer(lock, "busy"):
        pass


def test_a_killed_process_holds_no_lock(tmp_path):
    lock = tmp_path / "lock"
    code = (
        "import sys, time; from pathlib import Path\n"
        "from spikeweft.runtime.files import only_writer\n"
        "with only_writer(Path(sys.argv[1]), 'busy'): print(flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, lock], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(InputError, match="busy"), only_writer(lock, "busy"):
            pass
        process.send_signal(signal.SIGKILL)
    with only_writer(lock, "busy"):
        pass


def test_where_there_are_no_locks_work_goes_on_unguarded(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with only_writer(tmp_path / "lock", "busy"), only_writer(tmp_path / "lock", "busy"):
        pass
    assert not (tmp_path / "lock").exists()


@pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt])
def test_whatever_interrupts_a_replacement_leaves_the_old_file_alone(tmp_path, interruption):
    path = tmp_path / "recording.nwb"
    path.write_bytes(b"old")

    def interrupted():
        with replacing(path) as unfinished:
            unfinished.write_bytes(b"half of the n")
            raise interruption

    with pytest.raises(interruption):
        interrupted()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_goes_where_nothing_is_in_the_way(tmp_path):
    path = tmp_path / "table.csv"
    check_new_file(path, force=False)
    path.write_bytes(b"old")
    check_new_file(path, force=True)
    with pytest.raises(InputError, match="exists already"):
        check_new_file(path, force=False)
    for place in (tmp_path, tmp_path / "none" / "table.csv"):
        with pytest.raises(InputError, match="give a file in a folder that exists"):
            check_new_file(place, force=True)
