"""What a recording is fit for, before the hours are spent: faults, expected error, cost."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "checkup": ["check", "check_file"],
        "expected_error": ["Pilot", "pilot"],
        "findings": ["Checkup", "Finding", "Severity"],
        "page": ["build_page"],
    },
)
