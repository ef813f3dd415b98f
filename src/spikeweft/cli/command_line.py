"""The whole command line: every command registers when it is imported; `main` runs one."""

import sys
from collections.abc import Sequence
from io import TextIOWrapper

from cyclopts import CycloptsError

from spikeweft.cli.apps import app
from spikeweft.cli.commands import (  # noqa: F401 - each registers its command
    benchmark,
    check,
    demo,
    export,
    heading,
    infer,
    report,
    reproduce,
    score,
    show,
    simulate,
    sweep,
)
from spikeweft.cli.printing import printable
from spikeweft.errors import InputError

_TO_GO_ON = {
    "infer": "; run the same command with --resume to continue",
    "benchmark": "; run the same command without --force to continue",
    "demo": "; run the same command without --force to continue",
    "heading": "; run the same command without --force to continue",
    "sweep": "; run the same command to continue",
}


def main(tokens: Sequence[str] | None = None, **given: object) -> int:
    """Run one command and return its exit status.

    It is 0 on success, 2 where the user has to change something, and 130 when interrupted.

    Parameters
    ----------
    tokens
        Words of the command line; those of this process where None.
    given
        Arguments of the command that are no options, by name.
    """
    words = sys.argv[1:] if tokens is None else list(tokens)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # some terminals have no Δ
    try:
        command, bound, not_parsed = app.parse_args(words, exit_on_error=False, print_error=False)
        bound.arguments |= {name: given[name] for name in not_parsed if name in given}
        command(*bound.args, **bound.kwargs)
    except (InputError, CycloptsError) as error:
        print(f"spikeweft: {printable(' '.join(str(error).split()))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        remedy = _TO_GO_ON.get(words[0] if words else "", "")
        print(f"\nspikeweft: interrupted{remedy}", file=sys.stderr)
        return 130
    return 0
