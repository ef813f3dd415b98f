"""Methods side by side on networks of known wiring: cases as data, one loop, tables, figures."""
