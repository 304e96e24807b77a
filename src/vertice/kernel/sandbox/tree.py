"""What `/proc` tells about the processes of one sandbox.

Every process of a sandbox descends from the first process of its pid namespace, also a daemon that forked twice:
orphans go to that first process. So the tree is read from `/proc/PID/task/*/children` (CONFIG_PROC_CHILDREN), without
a scan of the machine.
"""

import os
from pathlib import Path

__all__ = ["memory_bytes", "processes_below", "used_bytes"]

_PAGE = os.sysconf("SC_PAGE_SIZE")


def processes_below(pid: int) -> list[int]:
    """Return the pids (as seen from here) of all descendants of `pid`; what ends meanwhile is left out."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        try:
            threads = os.listdir(f"/proc/{parent}/task")  # noqa: PTH208 - a tick every 20 ms: no Path objects
        except OSError:
            continue
        for thread in threads:
            children = [int(child) for child in _read(f"/proc/{parent}/task/{thread}/children").split()]
            found += children
            waiting += children
    return found


def memory_bytes(pids: list[int], limit: int) -> int:
    """Return what `pids` hold in memory together.

    Resident sizes count pages shared by several processes several times. They are cheap and enough while their sum is
    below `limit`; above it the proportional sizes are read, which count each page once.
    """
    resident = sum(_resident(pid) for pid in pids)
    return resident if resident <= limit else sum(_proportional(pid) for pid in pids)


def used_bytes(folders: list[int]) -> int:
    """Return how much is stored on the in-memory file systems that these descriptors stand on."""
    used = 0
    for folder in folders:
        facts = os.fstatvfs(folder)
        used += (facts.f_blocks - facts.f_bfree) * facts.f_frsize
    return used


def _resident(pid: int) -> int:
    fields = _read(f"/proc/{pid}/statm").split()
    return int(fields[1]) * _PAGE if len(fields) > 1 else 0


def _proportional(pid: int) -> int:
    for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    return _resident(pid)


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""
