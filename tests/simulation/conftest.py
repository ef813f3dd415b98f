"""Networks that several tests simulate."""

from spikeweft.simulation.random_networks import (
    DirectedWiring,
    ExcitatoryInhibitoryWiring,
    SymmetricWiring,
    random_network,
)
from spikeweft.simulation.ring_networks import (
    lnp_ring,
    profile_ii_lnp_ring,
    profile_ii_threshold_ring,
    threshold_ring,
)

WIRINGS = [SymmetricWiring(), DirectedWiring(), ExcitatoryInhibitoryWiring()]
NETWORKS = [
    threshold_ring(),
    lnp_ring(0.01),
    profile_ii_threshold_ring(),
    profile_ii_lnp_ring(),
    *(random_network(wiring, wiring_seed=3) for wiring in WIRINGS),
]
