"""One holder at a time, among threads and processes."""

import subprocess
import sys
import threading
from pathlib import Path

from vertice.kernel.locks import exclusive


def test_threads_take_turns(tmp_path: Path) -> None:
    inside = 0
    most = 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(50):
            with exclusive(tmp_path / "deep" / "lock"):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (inside, most) == (0, 1)


def test_a_killed_holder_frees_it(tmp_path: Path) -> None:
    holder = f"""
        import sys, time
        from pathlib import Path
        from vertice.kernel.locks import exclusive
        with exclusive(Path({str(tmp_path / "lock")!r})):
            print("held", flush=True)
            time.sleep(60)
    """.replace("\n        ", "\n")
    with subprocess.Popen([sys.executable, "-c", holder], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        process.kill()
    with exclusive(tmp_path / "lock"):
        pass
