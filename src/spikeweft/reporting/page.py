"""What all pages have in common: their templates, and figures that are part of the page itself."""

from base64 import b64encode
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined

from spikeweft.reporting.plot_style import Axes, as_svg, size_in

_PX_PER_IN = 96

_TEMPLATES = Environment(
    loader=PackageLoader("spikeweft", ""),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A picture with its heading, its text alternative and its caption."""

    anchor: str
    title: str
    alt: str
    caption: str
    ax: Axes
    """Any axes of the matplotlib figure."""

    @property
    def source(self) -> str:
        """The picture itself as a data URI."""
        return "data:image/svg+xml;base64," + b64encode(as_svg(self.ax).encode()).decode()

    @property
    def width_px(self) -> int:
        """Width on the page."""
        return round(size_in(self.ax)[0] * _PX_PER_IN)

    @property
    def height_px(self) -> int:
        """Height on the page."""
        return round(size_in(self.ax)[1] * _PX_PER_IN)


def render(template: str, **content: object) -> str:
    """One HTML page from a template, such as "check/page.html.jinja"; all content is escaped."""
    return _TEMPLATES.get_template(template).render(content)
