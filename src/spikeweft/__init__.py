"""spikeweft finds out, from spikes alone, which neurons drive which."""
