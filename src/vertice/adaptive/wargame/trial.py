"""Trying a probe on a release by itself, without a project: what `vertice probe run` and the probes' own tests do."""

from collections.abc import Sequence

from packaging.utils import canonicalize_name

from vertice.adaptive.inventory.model import Lock
from vertice.adaptive.wargame.model import Probe
from vertice.kernel.errors import InputError
from vertice.kernel.interpreters import Interpreter
from vertice.kernel.text import printable
from vertice.kernel.uv import Uv

__all__ = ["lock_for_trial", "resolve"]


def lock_for_trial(probe: Probe, release: str, *, uv: Uv, interpreter: Interpreter) -> Lock:
    """Return a lock of `release` ("name==version") with its dependencies and what the probe's test needs beside it.

    Raises InputError when the release is not of the probe's package, does not exist or does not resolve.
    """
    name, _, version = release.partition("==")
    if not version or canonicalize_name(name) != probe.package:
        raise InputError(
            f"{printable(release, limit=200)} is no release that {probe.id} attacks",
            where="--package",
            todo=f"Give {probe.package}==VERSION.",
        )
    wanted = (f"{probe.package}=={version}", *probe.with_packages, *probe.needs)
    return resolve(wanted, uv=uv, interpreter=interpreter, build_constraints=probe.build_constraints)


def resolve(
    requirements: Sequence[str], *, uv: Uv, interpreter: Interpreter, build_constraints: Sequence[str] = ()
) -> Lock:
    """Return the pins uv resolves `requirements` to for `interpreter`. Raises InputError with uv's reason."""
    files = {
        "requirements.in": "\n".join(requirements).encode() + b"\n",
        "build-constraints.txt": "\n".join(build_constraints).encode() + b"\n",
    }
    command = ["pip", "compile", "--quiet", "--no-header", "--no-annotate", "--no-strip-extras", "requirements.in"]
    done = uv.run([*command, "--build-constraints", "build-constraints.txt"], files=files, interpreter=interpreter)
    if done.returncode:
        reason = printable(" ".join(done.stderr.split()).removeprefix("error: "), limit=600)
        raise InputError(
            f"uv finds no way to install {' '.join(requirements)}: {reason}",
            todo="Check the name and the version.",
        )
    pins = tuple(sorted(line.strip() for line in done.stdout.splitlines() if line.strip() and not line.startswith("#")))
    return Lock(requirements=pins, python_version=interpreter.version)
