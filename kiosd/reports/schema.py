"""The published schema of ``kiosd report --format json``: ``docs/report.schema.json``."""

import json
from typing import Any

from kiosd.reports.model import Report


def report_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a report."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Report.model_json_schema(mode="serialization")


def schema_text() -> str:
    """``report_schema`` as it stands in the file."""
    return json.dumps(report_schema(), indent=2) + "\n"
