"""All that one inference found, in a folder of plain files."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "correlograms": ["Correlogram", "Correlograms"],
        "export.by_ending": ["Exported", "export_circuit"],
        "result": ["Result", "read_result", "write_result"],
    },
)
