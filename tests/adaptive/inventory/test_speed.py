"""A scan of 1,000 pins has half a second as a whole process; reading them may take a small part of it."""

import time
from pathlib import Path

from vertice.adaptive.inventory.reader import read_project


def fastest(path: Path) -> float:
    times = []
    for _ in range(5):
        started = time.perf_counter()
        assert len(read_project(path).components) == 1000
        times.append(time.perf_counter() - started)
    return min(times)


def test_a_thousand_plain_pins(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("".join(f"package-{n}=={n}.{n % 7}.1\n" for n in range(1000)))
    assert fastest(tmp_path) < 0.06


def test_a_thousand_hashed_pins_with_markers(tmp_path: Path) -> None:
    hashes = " \\\n".join(f"    --hash=sha256:{digit * 64}" for digit in "ab")
    pins = (
        f'package-{n}=={n}.{n % 7}.1 ; python_version >= "3.8" \\\n{hashes}\n    # via package-{n // 2}\n'
        for n in range(1000)
    )
    (tmp_path / "requirements.txt").write_text("".join(pins))
    assert fastest(tmp_path) < 0.25
