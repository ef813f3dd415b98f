"""`spikeweft export`: an inferred circuit in the file formats of other programs."""

from pathlib import Path

from spikeweft.cli.apps import app


@app.command
def export(
    out_dir: Path,
    out_file: Path,
    /,
    *,
    threshold: float = 0.0,
    min_probability: float = 0.0,
    into: Path | None = None,
    force: bool = False,
) -> None:
    """Write the inferred circuit for other programs; the ending of the file names the format.

    Example: `spikeweft export result connections.csv --min-probability 0.9`

    `.csv` is a table of connections, `.graphml` a graph for Gephi, Cytoscape or NetworkX, `.npz` a
    sparse matrix `weights[post, pre]` for SciPy, and `.nc` all arrays for xarray. `.nwb` is a copy
    of the recording's NWB file with a table `connections` in its processing module `connectivity`.

    Pairs of neurons that the data do not inform, and weights of 0, are in no file but an `.nc`.

    Parameters
    ----------
    out_dir
        Folder that `spikeweft infer` made.
    out_file
        File to write, ending in .csv, .graphml, .nc, .npz or .nwb.
    threshold
        Leave out weights whose size is not above this.
    min_probability
        Leave out connections less probable than this, where the model gives probabilities.
    into
        NWB file to copy, with the same units, in place of the recording. Where it is OUT_FILE
        itself, and with --force, the table is added to it.
    force
        Overwrite a file that exists, and a table that the NWB file has.
    """
    from spikeweft.results.export.by_ending import export_circuit

    exported = export_circuit(
        out_dir,
        out_file,
        threshold=threshold,
        min_probability=min_probability,
        into=into,
        force=force,
    )
    print(f"{out_file}: {exported.n_written} of {exported.n_pairs} pairs of neurons")
