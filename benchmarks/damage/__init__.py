"""What may be wrong with a recording of any kind, by accident or by design."""
