"""Recordings, which come in, and circuits, which are inferred; readers of file formats."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "bootstrap": ["resampled"],
        "connectivity": ["Connectivity"],
        "covariate": ["Covariate", "covariate_columns"],
        "cross_validation": ["BlockedSplit", "IndexableRecording"],
        "holdout": ["TEST_FRACTION", "VALIDATION_FRACTION"],
        "file_contents.chosen_recording": ["LoadedRecording"],
        "file_contents.events": ["event_covariates"],
        "readers.load": ["load", "load_truth"],
        "recording": ["Recording"],
        "scored_time": ["scored_epochs"],
        "sorting_artefacts": ["SortingArtefact"],
        "spike_counts": ["SpikeCounts"],
    },
)
