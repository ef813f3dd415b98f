"""Tables with a row for each spike: CSV, TSV and Parquet."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "parquet": ["read_parquet"],
        "spike_rows": ["spike_rows_contents"],
        "text": ["is_text_table", "read_text_table"],
    },
)
