"""The apps that commands register with: `spikeweft`, and its groups of commands."""

from importlib.metadata import version

from cyclopts import App, Parameter

app = App(
    name="spikeweft",
    version=lambda: version("spikeweft"),
    help_format="markdown",
    suppress_keyboard_interrupt=False,
    result_action="return_value",
    default_parameter=Parameter(negative=()),
    help="""Finds out, from spikes alone, which neurons drive which.

    **Start here:** `spikeweft demo` simulates a small network, infers its wiring from the spikes
    and shows how close it came.

    **Your own data:** `spikeweft infer recording.nwb` makes a folder with the inferred
    connectivity, its scores, and a page to read: `report.html`.

    Every command explains itself: `spikeweft infer --help`.
    """,
)

simulate_app = App(name="simulate", help="Make recordings of networks whose wiring is known.")


app.command(simulate_app)


benchmark_app = App(
    name="benchmark",
    help="""Compare methods on networks whose wiring is known, each fit in a process of its own.

    **Start here:** `spikeweft benchmark paper OUT_DIR --table 1 --seeds 100 --methods CircuitGNN
    PoissonGLM` fits two methods to two rings, prints the tables, and draws the figures.

    Every fit is one row of `OUT_DIR/STUDY.csv`, with its scores, time, memory, versions, and the
    command that makes it again. What the table has is not fitted again, so a study that was
    interrupted continues when its command is repeated. The true wiring is used for scoring alone.
    """,
)


app.command(benchmark_app)
