"""Files that say which vulnerabilities are exploited: EPSS (FIRST) and KEV (CISA)."""

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from typing import Final

from vertice.kernel.errors import InputError

__all__ = ["parse_epss", "parse_kev"]

_MAX_BYTES: Final = 256 * 1024 * 1024
"""Far above EPSS's 10 MB; what a gzip bomb may unpack to."""


def parse_epss(data: bytes, where: str) -> tuple[dict[str, float], str]:
    """Return CVE id -> probability 0..1 and the day of the scores ("" when not said) of FIRST's CSV, gzipped or not.

    The file starts with `#model_version:…,score_date:…`, then `cve,epss,percentile`. Raises InputError naming `where`.
    """
    text = _unpacked(data, where)
    first, _, rest = text.partition("\n")
    day = re.search(r"score_date:(\d{4}-\d{2}-\d{2})", first)
    scores = dict(_scores(csv.DictReader(io.StringIO(rest if first.startswith("#") else text)), where))
    if not scores:
        raise InputError(
            "holds no EPSS scores", where=where, todo="Give the CSV of first.org/epss with the columns cve and epss."
        )
    return scores, day[1] if day else ""


def parse_kev(data: bytes, where: str) -> tuple[frozenset[str], str]:
    """Return the CVE ids of CISA's JSON catalogue and the day of its release; raises InputError naming `where`."""
    try:
        catalogue = json.loads(_unpacked(data, where))
        listed = frozenset(entry["cveID"] for entry in catalogue["vulnerabilities"])
        released = str(catalogue.get("dateReleased", ""))[:10]
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
        raise InputError(
            "is not the KEV catalogue", where=where, todo="Give CISA's known_exploited_vulnerabilities.json."
        ) from error
    return listed, released


def _scores(rows: Iterator[dict[str, str]], where: str) -> Iterator[tuple[str, float]]:
    try:
        for row in rows:
            score = float(row["epss"])
            if not 0.0 <= score <= 1.0:
                raise InputError(f"has the score {score}, which is no probability", where=where)
            yield row["cve"], score
    except (csv.Error, KeyError, TypeError, ValueError) as error:
        raise InputError("is not EPSS's CSV", where=where, todo="Give the file of first.org/epss.") from error


def _unpacked(data: bytes, where: str) -> str:
    try:
        if data.startswith(b"\x1f\x8b"):
            with gzip.open(io.BytesIO(data)) as stream:
                data = stream.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise InputError(f"unpacks to more than {_MAX_BYTES:,} bytes", where=where)
        return data.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError("cannot be read: damaged, or not text", where=where, todo="Fetch the file again.") from error
