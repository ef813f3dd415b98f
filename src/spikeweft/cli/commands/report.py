"""`spikeweft report`: the page of a result, written again."""

import sys
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
    if beside:
        from spikeweft.reporting.explorer import left_out
        from spikeweft.results.result import read_result

        others = {str(folder): read_result(folder) for folder in beside}
        if said := left_out(read_result(out_dir), others):
            print(said, file=sys.stderr)
