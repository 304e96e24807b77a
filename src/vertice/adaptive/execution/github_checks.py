"""May a pull request be merged: pure rules over what GitHub tells of it."""

from collections.abc import Iterable
from dataclasses import dataclass

from vertice.adaptive.execution.github_models import BranchState, CheckRun, Pull, Repository, Rule, Status

__all__ = ["CONTEXT", "Checks", "checks_of", "method_of", "required_checks", "state_of"]

CONTEXT = "vertice/wargame"
"""Name of our own status check."""

_PASSED = frozenset({"success", "neutral", "skipped"})
_METHODS = ("merge", "squash", "rebase")


@dataclass(frozen=True, slots=True)
class Checks:
    """Names of the checks that stand in the way."""

    running: tuple[str, ...]
    failed: tuple[str, ...]


def required_checks(branch: BranchState, rules: Iterable[Rule]) -> frozenset[str]:
    """Return the checks that a branch asks for, by its protection or by a ruleset."""
    protection = branch.protection
    classic = protection.required_status_checks if protection else None
    names = set(classic.contexts if classic else ())
    for rule in rules:
        if rule.type == "required_status_checks":
            listed = (rule.parameters or {}).get("required_status_checks")
            for check in listed if isinstance(listed, list) else ():
                if isinstance(check, dict) and isinstance(check.get("context"), str):
                    names.add(check["context"])
    return frozenset(names)


def checks_of(statuses: Iterable[Status], runs: Iterable[CheckRun], required: frozenset[str]) -> Checks:
    """Return what stands in the way: of the required checks, or of all of them where none is required.

    Our own check does not count: the person who approved knows what it says.
    """
    words: dict[str, set[str]] = {name: set() for name in required}
    for status in statuses:
        words.setdefault(status.context, set()).add(status.state if status.state != "error" else "failure")
    for run in runs:
        ended = run.conclusion if run.status == "completed" else "pending"
        words.setdefault(run.name, set()).add("success" if ended in _PASSED else ended or "pending")
    counted = {name: said for name, said in words.items() if name != CONTEXT and (not required or name in required)}
    failed = {name for name, said in counted.items() if said - {"success", "pending"}}
    running = {name for name, said in counted.items() if not said or "pending" in said}
    return Checks(tuple(sorted(running - failed)), tuple(sorted(failed)))


def method_of(repository: Repository, rules: Iterable[Rule], wanted: str) -> str:
    """Return how to merge: as `wanted`, else the first way that the repository allows; "" where it does not say."""
    if wanted:
        return wanted
    told = (repository.allow_merge_commit, repository.allow_squash_merge, repository.allow_rebase_merge)
    allowed = [name for name, may in zip(_METHODS, told, strict=True) if may]
    for rule in rules:
        listed = (rule.parameters or {}).get("allowed_merge_methods") if rule.type == "pull_request" else None
        if isinstance(listed, list):
            allowed = [name for name in allowed or _METHODS if name in listed]
        if rule.type == "required_linear_history":
            allowed = [name for name in allowed or _METHODS if name != "merge"]
    return allowed[0] if allowed else ""


def state_of(pull: Pull) -> str:
    """Return `open`, `merged` or `closed`."""
    return "merged" if pull.merged_at is not None else pull.state
