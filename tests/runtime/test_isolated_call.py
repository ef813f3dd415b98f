import os
import signal
import sys
import threading

import numpy as np
import pytest

from spikeweft.runtime.isolated_call import CallError, alone


def be_killed():
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_call_alone_gives_its_result_its_error_or_its_end():
    assert alone(np.sum, np.arange(4)) == 6
    with pytest.raises(CallError, match=r"^ValueError: could not convert string to float: 'a.+b'$"):
        alone(float, "a\nb")
    with pytest.raises(CallError, match=r"^its process was killed: Aborted$"):
        alone(os.abort)
    with pytest.raises(CallError, match="killed, probably for lack of memory"):
        alone(be_killed)


def test_an_end_that_memory_has_no_part_in_is_not_said_to_be_for_lack_of_it():
    with pytest.raises(CallError, match=r"its result cannot be handed back: TypeError: .*pickle"):
        alone(threading.Lock)
    with pytest.raises(CallError, match=r"^its process ended by itself, with exit status 3$"):
        alone(sys.exit, 3)
