"""Waivers: findings that a person accepts for a time, with a reason. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from vertice.adaptive.triage.model import Apv

__all__ = ["Waiver", "WaiverResult", "apply_waivers"]


@dataclass(frozen=True, slots=True)
class Waiver:
    """One `[[waivers]]` entry of a vertice.toml: a finding accepted by a person, for a time."""

    id: str
    """CVE, GHSA, PYSEC or other id or alias of an advisory, or an APV code."""
    reason: str
    until: date
    """The last day on which it holds."""
    package: str = ""
    """PEP 503 name; "" for whatever package."""


@dataclass(frozen=True, slots=True)
class WaiverResult:
    """What is left, what is waived and by which waiver, and the waivers that do nothing."""

    active: tuple[Apv, ...]
    waived: tuple[tuple[Apv, Waiver], ...]
    expired: tuple[Waiver, ...]
    """Past their day, so that they waive nothing any more."""
    unused: tuple[Waiver, ...]
    """Still in time, but nothing was found that they match."""


def apply_waivers(apvs: Sequence[Apv], waivers: Sequence[Waiver], today: date) -> WaiverResult:
    """Part `apvs` by the waivers in force on `today`; a waiver's last day is its `until`."""
    in_force = [waiver for waiver in waivers if waiver.until >= today]
    active: list[Apv] = []
    waived: list[tuple[Apv, Waiver]] = []
    used: set[Waiver] = set()
    for apv in apvs:
        matching = [waiver for waiver in in_force if _matches(waiver, apv)]
        used.update(matching)
        if matching:
            waived.append((apv, max(matching, key=lambda waiver: waiver.until)))
        else:
            active.append(apv)
    return WaiverResult(
        active=tuple(active),
        waived=tuple(waived),
        expired=tuple(waiver for waiver in waivers if waiver.until < today),
        unused=tuple(waiver for waiver in in_force if waiver not in used),
    )


def _matches(waiver: Waiver, apv: Apv) -> bool:
    if waiver.package and waiver.package != apv.component.name:
        return False
    return waiver.id.casefold() in {name.casefold() for name in (apv.code, *apv.advisory.ids)}
