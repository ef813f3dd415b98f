"""What a file of any format holds, and the recording that is made of what is chosen from it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "chosen_recording": ["LoadedRecording"],
        "contents": ["FileContents", "LabelledEpoch", "SampledSeries"],
        "selection": ["Selection"],
    },
)
