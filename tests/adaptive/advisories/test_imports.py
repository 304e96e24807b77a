"""What the way of a scan may import: the rest of its cost is measured in bench/."""

import subprocess
import sys


def test_matching_imports_nothing_heavy() -> None:
    program = (
        "import sys, vertice.adaptive.advisories.store, vertice.adaptive.advisories.match,"
        " vertice.adaptive.advisories.source;"
        "print(sorted({'httpx', 'stamina', 'cvss', 'pydantic', 'sqlalchemy', 'rich', 'zipfile'} & sys.modules.keys()))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
