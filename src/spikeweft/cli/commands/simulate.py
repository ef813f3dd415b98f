"""`spikeweft simulate`: recordings of networks whose wiring is known."""

from pathlib import Path
from typing import Annotated, Literal

from spikeweft.cli.apps import simulate_app
from spikeweft.cli.options import Count, Minutes


@simulate_app.command
def ring(
    out: Path,
    /,
    *,
    neuron_model: Literal["threshold", "lnp"] = "threshold",
    minutes: Annotated[float, Minutes] = 8.0,
    seed: Annotated[int, Count] = 0,
    recurrent_strength: float = 0.025,
    drive_amplitude: float = 0.0,
    force: bool = False,
) -> None:
    """Simulate a ring of 100 neurons with bumps of activity; spikes and truth go into one file.

    Example: `spikeweft simulate ring ring.npz --neuron-model lnp --minutes 8 --seed 1`

    Neurons in different bumps fire together without being connected, which is what misleads
    methods that look at correlations. The file holds `spike_times` (s), `spike_units`, and the
    true `weights[post, pre]`.

    Parameters
    ----------
    out
        File to write, ending in .npz.
    neuron_model
        Threshold-crossing neurons with noise, or linear-nonlinear-Poisson ones.
    minutes
        Length of the recording.
    seed
        The same seed gives the same spikes.
    recurrent_strength
        Factor on all weights; 0.025 is the strongest published, 0.0025 is weak.
    drive_amplitude
        Amplitude in neurons of a slow external drive that moves the bumps.
    force
        Overwrite a file that exists.
    """
    from dataclasses import replace

    import numpy as np

    from spikeweft.simulation.networks import simulate
    from spikeweft.simulation.ring_networks import lnp_ring, threshold_ring
    from spikeweft.simulation.storage import check_new_npz, save_simulation

    check_new_npz(out, force=force)
    published = {"threshold": threshold_ring, "lnp": lnp_ring}[neuron_model]
    network = replace(published(recurrent_strength), drive_amplitude_neurons=drive_amplitude)
    recording = simulate(network, 60.0 * minutes, np.random.default_rng(seed))
    save_simulation(out, recording, network.connectivity, force=force)
    print(f"{out}: {recording.n_neurons} neurons, {len(recording.spike_times_s):,} spikes")
