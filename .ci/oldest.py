"""The oldest versions that pyproject.toml allows, as constraints: python oldest.py pyproject.toml.

`numpy>=1.26` becomes `numpy==1.26.*`: the oldest series, with its corrections. Extras count too.
"""

import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

project = tomllib.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["project"]
wanted = [*project["dependencies"], *project["optional-dependencies"]["dask"]]
for requirement in map(Requirement, wanted):
    (lower,) = (s.version for s in requirement.specifier if s.operator == ">=")
    print(f"{requirement.name}=={lower}.*")
