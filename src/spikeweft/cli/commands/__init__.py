"""One command per file; each registers itself when it is imported."""

__all__: list[str] = []
