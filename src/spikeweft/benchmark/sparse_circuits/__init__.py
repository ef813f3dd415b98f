"""The study of sparse circuits: who is monosynaptically connected, how surely, and how late."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "cases": ["NETWORKS", "SparseCase", "sparse"],
        "rows": ["SparseRow", "read_sparse_rows", "write_sparse_rows"],
        "run": ["run_sparse"],
        "score": ["fit_and_score"],
        "figure": ["average_precision_panels"],
        "tables": ["sparse_markdown", "sparse_summary"],
    },
)
