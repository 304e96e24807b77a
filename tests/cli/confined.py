"""The real command on a machine that lacks something: room on its disk, rights, a program."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.machine import Machine

__all__ = ["Confined", "without_bubblewrap"]


@dataclass
class Confined(Machine):
    """A machine whose command runs in a mount namespace of its own, laid out by bubblewrap's `options`.

    When we are root it keeps root's rights, to set up a sandbox in turn; not with `rights` False.
    """

    options: Sequence[str | Path] = ()
    rights: bool = True
    before: str = "true"
    """Shell command that is run first, in the same namespace."""
    kept: Path | None = None
    """Folder of which `left` gets a copy when the command has ended, since a file system of its own is then gone."""
    left: Path | None = None

    def command(self, *args: str | Path) -> list[str]:
        keep = f'cp -a "{self.kept}/." "{self.left}"' if self.kept else "true"
        script = f'{self.before}; "$@"; code=$?; {keep}; exit $code'
        rights = [] if os.geteuid() else ["--cap-add" if self.rights else "--cap-drop", "ALL"]
        options = map(str, self.options)
        return [
            "bwrap",
            "--dev-bind",
            "/",
            "/",
            *rights,
            *options,
            "--",
            "sh",
            "-c",
            script,
            "sh",
            *super().command(*args),
        ]


def without_bubblewrap() -> Sequence[str]:
    """Return options that put what cannot be run in the place of every bubblewrap of the machine."""
    found = {shutil.which("bwrap", path=folder) for folder in ("/usr/bin", "/bin", "/usr/local/bin")}
    places = {os.path.realpath(path) for path in found if path}
    return [part for place in sorted(places) for part in ("--ro-bind", "/dev/null", place)]
