"""Progress of a long fit: a bar on a terminal, lines in a file or a pipe."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spikeweft.runtime.training_loop import Progress


_SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def progress_display() -> Iterator[tuple[Callable[["Progress"], None], Callable[[str], None]]]:
    """Two functions that show the progress of an inference: after a step, and at a new stage."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _progress_lines()
        return
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[scores]}"),
    )
    with Bar(*columns, console=console) as bar:
        task = bar.add_task("starting", total=None, scores="")

        def on_progress(progress: "Progress") -> None:
            left_s = progress.seconds_left
            bar.update(
                task,
                description=progress.stage,
                completed=progress.seconds,
                total=None if left_s is None else progress.seconds + left_s,
                scores=_describe(progress),
            )

        yield on_progress, lambda stage: bar.update(task, description=stage)


def _progress_lines() -> tuple[Callable[["Progress"], None], Callable[[str], None]]:
    """The same for a file or a pipe: a line for each new stage, and one every ten seconds."""
    last = {"stage": "", "shown": 0.0}

    def show(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    def on_progress(progress: "Progress") -> None:
        is_due = time.monotonic() - last["shown"] > _SECONDS_BETWEEN_LINES
        if is_due or progress.stage != last["stage"]:
            last.update(stage=progress.stage, shown=time.monotonic())
            show(f"{progress.stage}: step {progress.step}, {_describe(progress)}")

    return on_progress, show


def _describe(progress: "Progress") -> str:
    scores = (
        f"loss {progress.loss:.4f} nats/spike, held out {progress.held_out_bits_per_spike:.4f} "
        "bits/spike"
    )
    if progress.seconds_left is None:
        return scores
    minutes, seconds = divmod(round(progress.seconds_left), 60)
    return f"{scores}, about {minutes}:{seconds:02d} left"
