"""Networks with known wiring, and the recordings they make."""
