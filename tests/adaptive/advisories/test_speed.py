"""What the store and the match may cost, in CPU time with room for a slow machine (bench/ has the figures)."""

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from vertice.adaptive.advisories.match import match
from vertice.adaptive.advisories.store import Store
from vertice.adaptive.advisories.sync import sync
from vertice.adaptive.inventory.model import Component


def test_a_thousand_pins_against_the_full_store(
    tmp_path: Path, osv_zip: Path, osv_records: list[dict[str, Any]]
) -> None:
    sync(tmp_path, osv_zip)
    pairs = {
        (advisory["package"]["name"].lower(), version)
        for record in osv_records
        for advisory in record["affected"]
        for version in advisory.get("versions", ())
    }
    pins = random.Random(1).sample(sorted(pairs), 1000)
    components = [Component(name, version, "requirements.txt", at) for at, (name, version) in enumerate(pins, 1)]

    began = time.process_time()
    store = Store.open(tmp_path)
    assert store is not None
    found = match(components, store)
    seconds = time.process_time() - began

    assert len(found) > 3000
    assert seconds < 0.45


def test_matching_imports_nothing_heavy() -> None:
    program = (
        "import sys, vertice.adaptive.advisories.store, vertice.adaptive.advisories.match,"
        " vertice.adaptive.advisories.source;"
        "print(sorted({'httpx', 'stamina', 'cvss', 'pydantic', 'sqlalchemy', 'rich', 'zipfile'} & sys.modules.keys()))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
