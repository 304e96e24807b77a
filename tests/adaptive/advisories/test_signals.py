"""EPSS and KEV files."""

import gzip
import json

import pytest

from vertice.adaptive.advisories.signals import parse_epss, parse_kev
from vertice.kernel.errors import InputError

EPSS = b"""#model_version:v2023.03.01,score_date:2024-10-10T00:00:00+0000
cve,epss,percentile
CVE-1,0.00043,0.1
CVE-2,0.97,0.99
"""


@pytest.mark.parametrize("data", [EPSS, gzip.compress(EPSS), b"\xef\xbb\xbf" + EPSS])
def test_epss(data: bytes) -> None:
    assert parse_epss(data, "epss.csv") == ({"CVE-1": 0.00043, "CVE-2": 0.97}, "2024-10-10")


def test_epss_without_the_comment_line() -> None:
    assert parse_epss(b"cve,epss\nCVE-1,0.5\n", "e") == ({"CVE-1": 0.5}, "")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>",
        b"#model\ncve,epss\n",
        b"cve,score\nCVE-1,0.5\n",
        b"cve,epss\nCVE-1,high\n",
        b"cve,epss\nCVE-1,97\n",
        b"cve,epss\nCVE-1\n",
        gzip.compress(EPSS)[:-9],
        b"\x1f\x8bnot gzip",
        b"\xff\xfe\x00",
    ],
)
def test_what_is_no_epss_file_is_an_error_that_names_it(data: bytes) -> None:
    with pytest.raises(InputError) as caught:
        parse_epss(data, "epss.csv")
    assert caught.value.where == "epss.csv"


def test_kev() -> None:
    data = {"dateReleased": "2024-10-09T16:02:00.0Z", "vulnerabilities": [{"cveID": "CVE-1"}, {"cveID": "CVE-2"}]}
    assert parse_kev(json.dumps(data).encode(), "kev.json") == (frozenset({"CVE-1", "CVE-2"}), "2024-10-09")


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"vulnerabilities": [{}]}', b'{"vulnerabilities": [7]}', b"[" * 100_000]
)
def test_what_is_no_kev_file_is_an_error_that_names_it(data: bytes) -> None:
    with pytest.raises(InputError) as caught:
        parse_kev(data, "kev.json")
    assert (caught.value.what, caught.value.where) == ("is not the KEV catalogue", "kev.json")
