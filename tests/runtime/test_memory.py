import numpy as np

from spikeweft.runtime.isolated_call import alone
from spikeweft.runtime.memory import peak_memory_mb


def test_peak_memory_is_that_of_the_process_itself():
    block = np.ones(2**25)
    assert peak_memory_mb() > block.nbytes / 2**20
    assert alone(peak_memory_mb) < peak_memory_mb()
