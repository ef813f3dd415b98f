"""`spikeweft report`: the page of a result, written again."""

from pathlib import Path

from spikeweft.cli.apps import app


@app.command
def report(out_dir: Path, /, *, beside: tuple[Path, ...] = ()) -> None:
    """Write `report.html` of a result folder again.

    Example: `spikeweft report result --beside another-result`

    Parameters
    ----------
    out_dir
        Folder that `spikeweft infer` made.
    beside
        Result folder of the same neurons whose circuit can be chosen in the page, to compare the
        two side by side. May be repeated.
    """
    from spikeweft.inference.run import write_report

    print(write_report(out_dir, beside))
