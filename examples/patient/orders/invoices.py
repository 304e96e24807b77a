"""Invoices: one folder per order."""

import re
from pathlib import Path
from typing import BinaryIO

_MAX_BYTES = 5 * 1024 * 1024


class InvoiceRefused(ValueError):
    """The file is no invoice we keep."""


def safe_name(name: str) -> str:
    """Return the last part of an uploaded file's name, of plain characters only."""
    kept = re.sub(r"[^A-Za-z0-9._-]+", "_", name.replace("\\", "/").rsplit("/", 1)[-1]).lstrip(".")
    if not kept.lower().endswith((".pdf", ".xml")):
        raise InvoiceRefused("an invoice is a .pdf or .xml")
    return kept


def keep(folder: Path, order_id: int, name: str, content: BinaryIO) -> tuple[str, int]:
    """Write the invoice and return its name and size."""
    kept = safe_name(name)
    data = content.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise InvoiceRefused("the file is too large")
    target = folder / str(order_id)
    target.mkdir(parents=True, exist_ok=True)
    (target / kept).write_bytes(data)
    return kept, len(data)


def names(folder: Path, order_id: int) -> list[str]:
    return sorted(path.name for path in (folder / str(order_id)).glob("*"))
