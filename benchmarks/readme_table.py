"""Fill the README's tables of results: python benchmarks/readme_table.py.

Between marks `<!-- paper.csv: start -->` and `<!-- paper.csv: end -->` (or curves, wirings,
ablations) goes the summary of that study's table.
"""

from pathlib import Path

from spikeweft.benchmark.rows import read_rows
from spikeweft.benchmark.tables import STUDIES, provenance, summary

HERE = Path(__file__).parent
README = HERE.parent / "README.md"


def filled(readme: str) -> str:
    """The README with each table between its two marks."""
    for study in STUDIES:
        start, end = f"<!-- {study}.csv: start -->\n", f"<!-- {study}.csv: end -->\n"
        if start in readme:
            readme = _between(readme, start, _summary(study), end)
    return readme


def _between(readme: str, start: str, text: str, end: str) -> str:
    before, rest = readme.split(start)
    _, after = rest.split(end)
    return f"{before}{start}\n{text}\n{end}{after}"


def _summary(study: str) -> str:
    """A study in one table, and where it comes from."""
    rows = read_rows(HERE / study / f"{study}.csv")
    return f"{summary(rows)}\n\n{provenance(rows)}\n"


if __name__ == "__main__":
    README.write_text(filled(README.read_text(encoding="utf-8")), encoding="utf-8")
