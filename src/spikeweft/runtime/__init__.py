"""What a long computation needs of the machine: files, processes, memory, a training loop."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "files": ["only_writer", "write_whole"],
        "parallel": ["side_by_side"],
        "provenance": ["commit", "machine", "versions"],
        "training_loop": ["Progress", "Trainable", "train"],
    },
)
