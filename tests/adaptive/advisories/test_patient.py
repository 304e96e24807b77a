"""examples/patient has what its README says is planted."""

from pathlib import Path

from vertice.adaptive.advisories.match import match
from vertice.adaptive.advisories.store import Store
from vertice.adaptive.advisories.sync import sync
from vertice.adaptive.inventory.reader import read_project

PATIENT = Path(__file__).resolve().parents[3] / "examples" / "patient"


def test_the_findings_of_the_patient(tmp_path: Path, osv_zip: Path) -> None:
    sync(tmp_path, osv_zip)
    store = Store.open(tmp_path)
    assert store is not None
    found = match(read_project(PATIENT).components, store)
    assert {(part.name, part.version, one.id) for part, one in found} == {
        ("aiohttp", "3.9.1", "PYSEC-2024-24"),
        ("aiohttp", "3.9.1", "PYSEC-2024-26"),
        ("fastapi", "0.104.1", "PYSEC-2024-38"),
        ("idna", "2.10", "PYSEC-2024-60"),
        ("jinja2", "2.11.2", "PYSEC-2021-66"),
        ("mistune", "0.8", "PYSEC-2017-18"),
        ("pyyaml", "5.3.1", "PYSEC-2021-142"),
        ("requests", "2.25.1", "PYSEC-2023-74"),
        ("rsa", "4.0", "PYSEC-2020-99"),
        ("rsa", "4.0", "PYSEC-2020-100"),
        ("waitress", "1.4.1", "PYSEC-2020-155"),
        ("waitress", "1.4.1", "PYSEC-2022-169"),
    }
    readme = (PATIENT / "README.md").read_text()
    assert [one.id for _, one in found if one.id not in readme] == []
