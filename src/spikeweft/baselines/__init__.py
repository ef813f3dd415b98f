"""Methods of circuit inference, one per file; none knows another."""
