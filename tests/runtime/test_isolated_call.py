import os

import numpy as np
import pytest

from spikeweft.runtime.isolated_call import CallError, alone


def test_a_call_alone_gives_its_result_its_error_or_its_end():
    assert alone(np.sum, np.arange(4)) == 6
    with pytest.raises(CallError, match=r"^ValueError: could not convert string to float: 'a.+b'$"):
        alone(float, "a\nb")
    with pytest.raises(CallError, match="killed"):
        alone(os.abort)
