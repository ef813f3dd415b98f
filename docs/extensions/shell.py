"""`!command` in a page: it shows what a user would see, and a failure fails the build."""

import os
import subprocess
import sys
from pathlib import Path

from IPython.core.getipython import get_ipython

_ASK_FOR_COLOURS = ("FORCE_COLOR", "CLICOLOR_FORCE")
"""What a kernel sets, and what makes programs take a pipe for a terminal."""


def run(command: str) -> None:
    """Run a command and print what it prints, as into a file: plain lines without colours.

    Raises
    ------
    subprocess.CalledProcessError
        Where the command fails, which IPython itself would let pass.
    """
    done = subprocess.run(
        command,
        shell=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={name: value for name, value in os.environ.items() if name not in _ASK_FOR_COLOURS},
    )
    print(done.stdout, end="")
    done.check_returncode()


if (page := get_ipython()) is not None:
    # The `spikeweft` of this environment, whether or not the environment is activated.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    os.environ["COLUMNS"] = "80"
    page.system = run
