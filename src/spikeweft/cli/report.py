"""`spikeweft report`: the page of a result, again."""

from pathlib import Path

from spikeweft.cli.apps import app


@app.command
def report(out_dir: Path, /) -> None:
    """Write `report.html` of a result folder again.

    Example: `spikeweft report result`

    Parameters
    ----------
    out_dir
        Folder that `spikeweft infer` made.
    """
    from spikeweft.infer import write_report

    print(write_report(out_dir))
