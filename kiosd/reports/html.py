"""A report as one page for a browser and its printer: no script, nothing from elsewhere, charts as SVG inside."""

import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from kiosd.queue.settings import Language
from kiosd.reports.charts import draw
from kiosd.reports.numbers import measured, shown
from kiosd.reports.parts import Document, Figure
from kiosd.reports.words import word

if TYPE_CHECKING:
    from reportlab.graphics.shapes import Drawing

TEMPLATES = Path(__file__).parent / "templates"
CHART_WIDTH = 510.0
_TAG = re.compile(r"<[^>]*>")
_LONG = re.compile(r"\d+\.\d{3,}")


def write(document: Document) -> bytes:
    """``document`` as UTF-8 HTML."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.get_template("report.html.jinja").render(
        document=document,
        running=css_string(document.running),
        shown=shown,
        measured=measured,
        word=word,
        charts=lambda figure: _charts(figure, document.language),
    )
    return page.encode()


def css_string(text: str) -> str:
    """``text`` as a string of a style sheet, safe inside the page: all but letters, digits and spaces is written as its number."""
    from markupsafe import Markup

    inside = "".join(char if char.isascii() and (char.isalnum() or char == " ") else f"\\{ord(char):06x} " for char in text)
    return Markup(f'"{inside}"')  # noqa: S704 - nothing of HTML or CSS is left in it


def _charts(figure: Figure, language: Language) -> list[str]:
    from markupsafe import Markup

    drawings = draw(figure, language, CHART_WIDTH)
    ids = [f"{figure.chart}-{number}" for number, _ in enumerate(drawings)]
    return [Markup(svg(drawing, name, figure)) for drawing, name in zip(drawings, ids, strict=True)]  # noqa: S704 - svg() escapes


def svg(drawing: "Drawing", name: str, figure: Figure) -> str:
    """``drawing`` as an SVG element that says what it shows; ids begin with ``name``, for a page holds several."""
    from reportlab.graphics.renderSVG import drawToString

    text = drawToString(drawing)
    element = _TAG.sub(lambda tag: _tidy(tag.group(), name), text[text.index("<svg") :])
    told = f'<title id="{name}-title">{escape(figure.title)}</title><desc id="{name}-desc">{escape(figure.description)}</desc>'
    return f"{element[: element.index('<title>')]}{told}{element[element.index('</desc>') + len('</desc>') :]}"


def _tidy(tag: str, name: str) -> str:
    """One tag: two decimals are plenty (and long ones might hold 16 digits in a row), ids of its own, fonts that browsers have."""
    tag = _LONG.sub(lambda number: f"{float(number.group()):.2f}", tag)
    tag = tag.replace('id="', f'id="{name}-').replace("url(#", f"url(#{name}-").replace(' transform=""', "")
    tag = tag.replace("font-family: Helvetica", "font-family: Helvetica, Arial, sans-serif")
    return tag.replace("<svg ", f'<svg role="img" aria-labelledby="{name}-title {name}-desc" ')
