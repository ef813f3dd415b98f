"""Head-direction circuits: tuning, coupling between the cells, and controls that could say no."""
