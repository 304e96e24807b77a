"""The `[policy]` table of a vertice.toml."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.remedy.model import Strategy
from vertice.adaptive.review.policy import BySeverity, ChangeSize, Policy, Roles
from vertice.adaptive.toml_values import (
    Keys,
    Parse,
    Reader,
    as_duration,
    as_flag,
    as_share,
    as_texts,
    as_whole,
    as_word,
    as_words,
)
from vertice.kernel.auth.model import Role
from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

__all__ = ["policy_of"]

_T = TypeVar("_T")
_MAX_ADDRESS = 150


def policy_of(reader: Reader, data: Mapping[str, Any], base: Policy, *, service: bool) -> Policy:
    """Return `base` with what the table `[policy]` of `data` says. `service`: the file is the service's own."""
    table = reader.table(data, "policy")
    reader.known(table, (*_PLAIN, *_NESTED), "policy.")
    if not service and "escalate-to" in table:
        raise reader.wrong("policy.escalate-to", "only the service's own vertice.toml says who hears of escalations")
    plain = {key: value for key, value in table.items() if key in _PLAIN}
    return replace(
        base,
        **reader.values(plain, _PLAIN, "policy"),
        roles=_roles(reader, table, base.roles),
        approvals=_by_severity(reader, table, "approvals", base.approvals, as_whole(1)),
        time_limits=_by_severity(reader, table, "time-limits", base.time_limits, as_duration),
        auto_merge=replace(base.auto_merge, **reader.group(table, "auto-merge", _AUTO_MERGE, "policy.")),
        bulk=replace(base.bulk, **reader.group(table, "bulk", _BULK, "policy.")),
    )


def _roles(reader: Reader, table: Mapping[str, Any], base: Roles) -> Roles:
    roles, path = reader.table(table, "roles", "policy."), "policy.roles."
    reader.known(roles, ("approve", "reject", "modify", "escalate"), path)
    decides = as_word(role for role in Role if role is not Role.viewer)
    return Roles(
        approve=_by_severity(reader, roles, "approve", base.approve, decides, path),
        reject=_by_severity(reader, roles, "reject", base.reject, decides, path),
        modify=_by_severity(reader, roles, "modify", base.modify, decides, path),
        escalate=_by_severity(reader, roles, "escalate", base.escalate, decides, path),
    )


def _by_severity(
    reader: Reader, table: Mapping[str, Any], key: str, base: BySeverity[_T], parse: Parse[_T], path: str = "policy."
) -> BySeverity[_T]:
    """Return `base` with what stands at `key`: one value for every severity, or a table of some."""
    if key not in table:
        return base
    if isinstance(table[key], dict):
        keys: Keys = {str(severity): (str(severity), parse) for severity in Severity}
        return replace(base, **reader.values(table[key], keys, path + key))
    return BySeverity.all(reader.value(table[key], parse, path + key))


def _addresses(value: Any) -> tuple[str, ...]:
    found = as_texts(value)
    for address in found:
        if "@" not in address or " " in address or len(address) > _MAX_ADDRESS or printable(address) != address:
            raise InputError(f"{printable(address, limit=80)!r} is no e-mail address")
    return found


_PLAIN: Keys = {
    "hold-younger-than-days": ("hold_younger_than_days", as_whole(0)),
    "proposer-may-approve": ("proposer_may_approve", as_flag),
    "escalate-to": ("escalate_to", _addresses),
}
_NESTED = ("approvals", "time-limits", "roles", "auto-merge", "bulk")
_AUTO_MERGE: Keys = {
    "enabled": ("enabled", as_flag),
    "severities": ("severities", as_words(Severity)),
    "strategies": ("strategies", as_words(Strategy)),
    "change": ("change", as_word(ChangeSize)),
    "confidence": ("confidence", as_share),
    "minimum-age-days": ("minimum_age_days", as_whole(0)),
}
_BULK: Keys = {
    "enabled": ("enabled", as_flag),
    "severity": ("severity", as_word(Severity)),
    "confidence": ("confidence", as_share),
}
