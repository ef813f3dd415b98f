"""The whole command line: every command registers when it is imported; `main` runs one."""

import sys
from collections.abc import Sequence
from io import TextIOWrapper

from cyclopts import CycloptsError

from spikeweft.cli import (  # noqa: F401 - each registers its command
    benchmark,
    check,
    demo,
    heading,
    infer,
    report,
    reproduce,
    score,
    simulate,
    sweep,
)
from spikeweft.cli.apps import app
from spikeweft.errors import InputError

_TO_GO_ON = {
    "infer": "; run the same command with --resume to go on",
    "benchmark": "; run the same command, without --force, to go on",
    "heading": "; run the same command to go on",
    "sweep": "; run the same command to go on",
}


def main(tokens: Sequence[str] | None = None) -> int:
    """Run one command; 0 where it went well, 2 where the user has to change something."""
    words = sys.argv[1:] if tokens is None else list(tokens)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # some terminals have no Δ
    try:
        app(words, exit_on_error=False, print_error=False)
    except (InputError, CycloptsError) as error:
        print(f"spikeweft: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        remedy = _TO_GO_ON.get(words[0] if words else "", "")
        print(f"\nspikeweft: interrupted{remedy}", file=sys.stderr)
        return 130
    return 0
