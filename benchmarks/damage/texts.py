"""Tables, settings and JSON that hold what they should not."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

TEXTS = (
    "",
    "nan",
    "-inf",
    "1e400",
    "-7",
    "9" * 400,
    "0x1F",
    "1,5",
    "2020-01-01",
    "true",
    "\x1b[2J\x1b]0;title\x07",
    "a\rb",
    "\u202etxt",
    "[bold red]name[/]",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "x" * 5000,
    '"',
    "\x00",
    "../../../etc/passwd",
    "\ud800",
)
"""What tables and settings hardly hold in any cell."""

CODE = (
    "open({opened!r}, 'w').write('run')\n",
    "import pathlib\nsample_rate = pathlib.Path({opened!r}).write_text('run')\n",
    "sample_rate = [open({opened!r}, 'w') for _ in (1,)][0]\n",
    "sample_rate = 10 ** 10 ** 10\n",
    "sample_rate = '9' * 10 ** 10\n",
    "sample_rate: float = 10000.0\nexec('open({opened!r}, chr(119))')\n",
    "sample_rate = " + "(" * 3000 + "1" + ")" * 3000 + "\n",
    "sample_rate = " + "-" * 20_000 + "1\n",
    "sample_rate = 1" + "0" * 5000 + "\n",
    "sample_rate = True\n",
    "sample_rate = 1e999\n",
    "sample_rate, other = 10000.0, 1\n",
)

JSON_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2,
    1e308,
    float("nan"),
    10**400,
    "words",
    "\x1b[2J<b>",
    [],
    {},
    [[]],
    [None],
    ["a", "a", "a", "a"],
    {"a": {"b": 1}},
    "|O",
    "<f8",
    [2**50],
    [-1],
    "../../other",
    [{"id": "pickle"}],
)


def odd_text(path: Path, rng: np.random.Generator, opened: Path) -> None:
    """A text in which some cells, numbers or lines are others."""
    if path.name == "params.py" and rng.random() < 0.6:
        path.write_text(CODE[rng.integers(len(CODE))].replace("{opened!r}", repr(str(opened))))
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = text.split("\n")
    for _ in range(rng.integers(1, 4)):
        # The first lines matter most: they name the columns and decide their dtypes.
        number = rng.integers(len(lines) if rng.random() < 0.5 else min(3, len(lines)))
        lines[number] = _odd_line(lines[number], rng)
    if rng.random() < 0.1:
        lines = [lines[0], *lines]
    path.write_bytes("\n".join(lines).encode("utf-8", errors="surrogatepass"))


def _odd_line(line: str, rng: np.random.Generator) -> str:
    parts = re.split(r"([,\t;= ])", line)
    place = 2 * int(rng.integers((len(parts) + 1) // 2))
    parts[place] = str(TEXTS[rng.integers(len(TEXTS))])
    return "".join(parts) if rng.random() < 0.9 else line + "".join(parts)


def odd_json(path: Path, rng: np.random.Generator, opened: Path) -> None:
    """A JSON in which a value or two are others, missing, or deep."""
    try:
        value = json.loads(path.read_bytes())
    except ValueError:
        return odd_text(path, rng, opened)
    if rng.random() < 0.1:
        path.write_text("[" * 100_000 + "]" * int(rng.integers(2)) * 100_000)
        return None
    for _ in range(rng.integers(1, 3)):
        value = _with_odd_part(value, rng)
    path.write_text(json.dumps(value))
    return None


def _with_odd_part(value: Any, rng: np.random.Generator) -> Any:
    """Down from the top to any part of it, which is another."""
    if not value or not isinstance(value, dict | list) or rng.random() < 0.1:
        return copy.deepcopy(JSON_VALUES[rng.integers(len(JSON_VALUES))])
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[rng.integers(len(keys))]
    if rng.random() < 0.1:
        del value[key]
    else:
        value[key] = _with_odd_part(value[key], rng)
    return value
