"""From a computed report to the bytes of one of its forms."""

from kiosd.queue.settings import Language
from kiosd.reports import html, pdf, table_csv, text
from kiosd.reports.ask import Format
from kiosd.reports.content import document
from kiosd.reports.model import Report
from kiosd.reports.numbers import Mark


def render(report: Report, form: Format, language: Language, decimal: Mark = "point") -> bytes:
    """``report`` as ``form``. ``language`` is of no matter to json, ``decimal`` only matters to csv."""
    match form:
        case "json":
            return report.model_dump_json(indent=2).encode() + b"\n"
        case "csv":
            return table_csv.write(document(report, language), decimal)
        case "html":
            return html.write(document(report, language))
        case "pdf":
            return pdf.write(document(report, language))
        case "text":
            return text.write(document(report, language))
