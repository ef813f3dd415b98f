"""Many fits, anywhere: over seeds, settings, bootstraps and recordings, on a Dask cluster."""
