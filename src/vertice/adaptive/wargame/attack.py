"""Running a probe's cases in the arena and reading what they say."""

import json
from collections.abc import Callable
from typing import Protocol

from vertice.adaptive.wargame.environment import Environment
from vertice.adaptive.wargame.model import Case, CaseRun, Outcome, Probe, Role, Side
from vertice.kernel.sandbox.model import Ended, Job, Limits
from vertice.kernel.sandbox.model import Outcome as JobOutcome
from vertice.kernel.text import printable

__all__ = ["Arena", "attack", "job_for", "read_outcome"]

_ALLOWED = {
    Role.attack: frozenset({Outcome.exploited, Outcome.blocked, Outcome.error}),
    Role.variant: frozenset({Outcome.exploited, Outcome.blocked, Outcome.error}),
    Role.control: frozenset({Outcome.works, Outcome.broken, Outcome.error}),
}


class Arena(Protocol):
    """Where foreign code runs: sealed, limited, without network."""

    @property
    def name(self) -> str:
        """`bwrap`, `docker`, …"""
        ...

    def run(self, job: Job) -> JobOutcome:
        """Run one job to its end, whatever that is."""
        ...


def attack(
    probe: Probe,
    environment: Environment,
    arena: Arena,
    *,
    side: Side,
    repeats: int,
    limits: Limits,
    seen: Callable[[CaseRun], None],
) -> tuple[CaseRun, ...]:
    """Run every case of `probe` `repeats` times in `environment`; `seen` hears of each run as it ends."""
    runs = []
    for case in probe.cases:
        for repeat in range(repeats):
            ended = arena.run(job_for(probe, case, environment, limits))
            outcome, evidence = read_outcome(ended, case.role, limits)
            runs.append(
                CaseRun(
                    probe=probe.id,
                    case=case.name,
                    role=case.role,
                    side=side,
                    repeat=repeat,
                    outcome=outcome,
                    evidence=evidence,
                    seconds=round(ended.seconds, 4),
                    ended=ended.ended.value,
                )
            )
            seen(runs[-1])
    return tuple(runs)


def job_for(probe: Probe, case: Case, environment: Environment, limits: Limits) -> Job:
    """Return the job that runs one case: the environment's interpreter, the probe's file, no network, no host."""
    return Job(
        argv=(environment.python, "-B", "/probe/probe.py", case.name),
        mounts=environment.mounts,
        files={"/probe/probe.py": probe.source.encode()},
        env={"PATH": "/usr/bin:/bin", "HOME": "/work", "TMPDIR": "/tmp", "LANG": "C.UTF-8"},  # noqa: S108 -- the sandbox's own
        limits=limits,
    )


def read_outcome(ended: JobOutcome, role: Role, limits: Limits) -> tuple[Outcome, str]:
    """Return what a run showed. Anything but a clean end with a proper last line is an error, never a pass."""
    if ended.ended is not Ended.exited:
        return Outcome.error, _why(ended, limits)
    last = ended.stdout.decode("utf-8", "replace").rstrip().rpartition("\n")[2]
    try:
        said = json.loads(last)
        outcome, evidence = Outcome(said["outcome"]), said["evidence"]
    except (ValueError, TypeError, KeyError, RecursionError):
        tail = printable((ended.stderr or ended.stdout).decode("utf-8", "replace").strip()[-300:], limit=300)
        return Outcome.error, f"its last line is no outcome (exit code {ended.returncode}): {tail}"
    if outcome not in _ALLOWED[role] or not isinstance(evidence, str):
        return Outcome.error, f"a {role} cannot say {printable(str(said['outcome']), limit=40)}"
    if ended.returncode != 0:
        return Outcome.error, f"it said {outcome} but exited with {ended.returncode}"
    return outcome, printable(evidence, limit=500)


def _why(ended: JobOutcome, limits: Limits) -> str:
    match ended.ended:
        case Ended.timed_out:
            return f"stopped: it took more than {limits.seconds:g} s"
        case Ended.out_of_memory:
            return f"stopped: it took more than {limits.memory_bytes // 2**20} MiB of memory"
        case Ended.too_many_processes:
            return f"stopped: it started more than {limits.processes} processes"
        case Ended.disk_full:
            return f"stopped: it wrote more than {limits.disk_bytes // 2**20} MiB"
        case Ended.too_much_output:
            return f"stopped: it printed far more than {limits.output_bytes // 1024} KiB"
        case _:
            return "stopped by a signal"
