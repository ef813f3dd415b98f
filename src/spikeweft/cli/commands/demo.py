"""`spikeweft demo`: the other commands, one after another, on a small network."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from spikeweft.cli.apps import app
from spikeweft.cli.commands.infer import run_inference
from spikeweft.cli.commands.report import report
from spikeweft.cli.commands.score import score
from spikeweft.cli.commands.simulate import ring
from spikeweft.cli.options import GivenInPython

_DEMO_MINUTES = 2.0


@app.command
def demo(
    out_dir: Path = Path("demo"),
    /,
    *,
    force: bool = False,
    infer_by: Annotated[Callable | None, GivenInPython] = None,
) -> None:
    """Simulate a small network, infer its wiring from the spikes, and score the answer.

    Example: `spikeweft demo`

    It runs the other commands one after another, and shows each before it runs. One that was
    interrupted goes on when its command is repeated.

    Parameters
    ----------
    out_dir
        Folder to make; the simulated recording lies beside it, as OUT_DIR.npz.
    force
        Replace a demo that exists.
    infer_by
        Function that infers; `inference.run.infer` where None.
    """
    from spikeweft.inference.run import check_folder
    from spikeweft.inference.settings import Inference
    from spikeweft.results.unfinished_folder import partial_of

    made = Path(f"{out_dir}.npz")
    inference = Inference(recording=made, folder=out_dir, resume=not force, force=force)
    folder = check_folder(inference)
    goes_on = not force and made.exists() and partial_of(folder).exists()
    if not goes_on:
        _simulate(made, force=force)
    print(f"\n$ spikeweft infer {made} {out_dir}{' --resume' if goes_on else ''}")
    run_inference(inference, infer_by)
    print(f"\n$ spikeweft score {out_dir} {made}")
    score(out_dir, made)
    print(f"\n$ spikeweft report {out_dir}")
    report(out_dir)


def _simulate(made: Path, *, force: bool) -> None:
    options = f"--neuron-model lnp --minutes {_DEMO_MINUTES:g} --seed 1"
    print(f"$ spikeweft simulate ring {made} {options}")
    ring(made, neuron_model="lnp", minutes=_DEMO_MINUTES, seed=1, force=force)
