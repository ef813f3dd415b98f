import threading

import pytest
import torch

from spikeweft.runtime import parallel as threads
from spikeweft.runtime.parallel import on_one_thread, one_by_one, side_by_side


@pytest.fixture
def processors(monkeypatch):
    """A choice of how many processors there seem to be; afterwards there are as many as before."""

    def pretend(n):
        monkeypatch.setattr(threads, "n_processors", lambda: n)
        threads._pool.cache_clear()

    yield pretend
    threads._pool.cache_clear()


@pytest.mark.parametrize("n", [1, 2, 5])
def test_results_come_in_the_order_of_the_pieces(processors, n):
    """Even where the first piece is the last to be done."""
    processors(n)
    others_done = threading.Event()

    def work(piece):
        if piece == 0 and n > 1:
            assert others_done.wait(10.0)
        if piece == 9:
            others_done.set()
        return piece**2

    assert side_by_side(work, range(10)) == [piece**2 for piece in range(10)]


def test_each_piece_has_pytorch_on_one_thread(processors):
    processors(2)
    assert set(side_by_side(lambda _: torch.get_num_threads(), range(8))) == {1}


def test_there_are_no_more_pieces_at_work_than_processors(processors):
    processors(3)
    names = side_by_side(lambda _: threading.current_thread().name, range(30))
    assert len(set(names)) <= 3


def test_what_goes_wrong_in_a_piece_is_told(processors):
    processors(2)
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda piece: 1 / piece, [1, 0, 2])


@pytest.mark.parametrize("n", [1, 2])
def test_pieces_of_a_piece_are_done_where_it_is_done(processors, n):
    """One after the other: they would wait for ever for processors that wait for them."""
    processors(n)

    def work(piece):
        here = threading.current_thread().name
        inner = side_by_side(lambda k: (10 * piece + k, threading.current_thread().name), range(3))
        assert {name for _, name in inner} == {here}
        return [value for value, _ in inner]

    assert side_by_side(work, range(6)) == [[10 * k, 10 * k + 1, 10 * k + 2] for k in range(6)]


def test_what_goes_wrong_in_a_piece_of_a_piece_is_told(processors):
    processors(1)
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda piece: side_by_side(lambda k: 1 / k, [piece]), [1, 0])


def test_a_process_beside_others_keeps_to_one_thread(processors):
    processors(4)
    here = threading.current_thread().name
    before = torch.get_num_threads()
    with on_one_thread():
        names = side_by_side(lambda _: threading.current_thread().name, range(4))
        assert torch.get_num_threads() == 1
    assert set(names) == {here}
    assert torch.get_num_threads() == before
    assert here not in side_by_side(lambda _: threading.current_thread().name, range(4))


def test_no_pieces_give_no_results():
    assert side_by_side(abs, []) == []


def test_there_is_a_processor():
    assert threads.n_processors() >= 1


def test_pieces_done_one_by_one_are_done_here_and_give_the_same(processors):
    processors(4)
    here = threading.current_thread().name
    found = one_by_one(lambda k: (k**2, threading.current_thread().name), range(5))
    assert found == [(k**2, here) for k in range(5)]
    assert set(one_by_one(lambda _: torch.get_num_threads(), range(2))) == {1}
