import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pytest

from spikeweft.errors import InputError
from spikeweft.simulation.settings import check_whole, store_plainly

LOOP = """
import sys
import numpy as np
from dataclasses import replace
from spikeweft.simulation import DirectedWiring, lnp_ring, observe, random_network, save_simulation
from spikeweft.simulation.sparse_networks import SparsePoissonNetwork

for seed in np.arange(1):
    assert random_network(DirectedWiring(), seed).connectivity.metadata["wiring_seed"] == 0
    replace(lnp_ring(), n_neurons=np.int32(8), recurrent_strength=np.float32(0.5)).connectivity
    network = SparsePoissonNetwork(wiring_seed=seed)
    recording = network.simulate(1.0, np.random.default_rng(seed))
    save_simulation(sys.argv[1], recording, network.connectivity)
try:
    observe(recording, network.connectivity, 2.5, np.random.default_rng(0))
except ValueError as error:
    print(error)
"""


@dataclass(frozen=True)
class Settings:
    """Of no type, as nothing checks types outside of tests."""

    number: Any
    name: str = "a network"


@pytest.mark.parametrize("number", [np.int64(3), np.uint8(3), np.float32(0.5), np.float64(0.5), 3])
def test_numpys_numbers_are_kept_as_plain_ones(number):
    settings = Settings(number)
    store_plainly(settings)
    assert type(settings.number) in (int, float)
    assert json.loads(json.dumps(asdict(settings))) == {"number": number, "name": "a network"}


@pytest.mark.parametrize("number", [2.5, 3.0, -1, float("nan"), "3", None])
def test_what_is_counted_is_a_whole_number(number):
    with pytest.raises(InputError, match=f"number is {number}; choose a whole number, 0 or more"):
        check_whole(Settings(number), 0, "number")


def test_a_loop_over_numpys_seeds_makes_networks_that_can_be_stored(tmp_path):
    """In a process of its own, where types are not checked."""
    done = subprocess.run(
        [sys.executable, "-c", LOOP, str(tmp_path / "loop.npz")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "2.5 of 60 neurons cannot be observed; choose a whole number from 2 to 60\n"
    )
