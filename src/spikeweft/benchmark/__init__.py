"""Methods side by side on networks whose wiring is known: cases, one loop, tables, figures."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "datasets": ["DataSet", "recorded", "simulated"],
        "figures": ["draw_figures"],
        "markdown_tables": ["markdown", "summary"],
        "methods": ["Method"],
        "published": ["PUBLISHED"],
        "rows": ["Row", "read_rows", "write_rows"],
        "score": ["fit_and_score"],
        "sparse_circuits.cases": ["sparse"],
        "sparse_circuits.run": ["run_sparse"],
        "sparse_circuits.tables": ["sparse_markdown", "sparse_summary"],
        "studies": ["Case", "ablations", "chosen", "curves", "paper", "wirings"],
    },
)
