"""How the documentation is built: `make docs`."""

import os
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

EXTENSIONS = Path(__file__).parent / "extensions"
sys.path.insert(0, str(EXTENSIONS))

project = "spikeweft"
author = "The spikeweft developers"
release = version = installed_version("spikeweft")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "myst_nb",
    "command_help",
    "docstrings",
    "mathml",
    "measured",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]

# ---- pages that are executed ----------------------------------------------------------------

nb_execution_mode = "force"
nb_execution_in_temp = True  # what a page writes is gone when it is done
nb_execution_raise_on_error = True
nb_execution_timeout = 1200  # of a cell, on a machine that does other things too
nb_output_stderr = "warn"
nb_merge_streams = True
nb_render_markdown_format = "myst"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

# Kernels import what is in `extensions`.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(EXTENSIONS), os.environ.get("PYTHONPATH")])
)

# ---- the reference --------------------------------------------------------------------------

autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_attr_annotations = False  # types stand in the signature
# Without it, every attribute's name would become a link, to one of many attributes of that name.
napoleon_custom_sections = [("Attributes", "params_style")]
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True
default_role = "code"

# ---- the look: light, and nothing is loaded from elsewhere ---------------------------------

html_theme = "furo"
html_title = "spikeweft"
html_static_path = ["_static"]
html_css_files = ["spikeweft.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
pygments_style = "friendly"
