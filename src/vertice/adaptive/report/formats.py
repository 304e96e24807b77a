"""One door to every report format; each format's libraries are loaded only when it is asked for."""

from vertice.adaptive.report.model import Format, ScanResult

__all__ = ["render"]


def render(result: ScanResult, form: Format, *, width: int = 80) -> str:
    """Return the report as text that ends in a line feed; `width` (columns) matters to the table alone."""
    match form:
        case Format.table:
            from vertice.adaptive.report import table

            return table.render(result, width=width)
        case Format.json:
            from vertice.adaptive.report import json

            return json.render(result)
        case Format.sarif:
            from vertice.adaptive.report import sarif

            return sarif.render(result)
        case Format.cyclonedx:
            from vertice.adaptive.report import cyclonedx

            return cyclonedx.render(result)
