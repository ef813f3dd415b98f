"""What tests of inferences ask for, and look at."""

from dataclasses import replace


def but(inference, **changes):
    return replace(inference, **changes)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def interrupt(step):
    """An observer that stops the run as Ctrl-C does, after a step of training."""

    def on_progress(progress):
        if progress.step == step:
            raise KeyboardInterrupt

    return on_progress
