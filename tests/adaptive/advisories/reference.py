"""A second matcher, for the tests alone: OSV's pseudo-code over the raw JSON, sharing no code with the program.

Follows ossf.github.io/osv-schema#evaluation. The order of PyPI versions is PEP 440's; a version that PEP 440 cannot
read comes before all others, as in OSV.dev. Of two events at one version, `fixed` is walked before `introduced`.
"""

import functools
import re

from packaging.version import InvalidVersion, Version


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


@functools.cache
def parsed(text):
    try:
        return Version(text)
    except InvalidVersion:
        return None


def compare(left, right):
    """Return -1, 0 or 1."""
    a, b = parsed(left), parsed(right)
    if a is None and b is None:
        return (left > right) - (left < right)
    if a is None or b is None:
        return -1 if a is None else 1
    return (a > b) - (a < b)


def compare_events(left, right):
    ((kind_left, version_left),) = left.items()
    ((kind_right, version_right),) = right.items()
    zero_left = kind_left == "introduced" and version_left == "0"
    zero_right = kind_right == "introduced" and version_right == "0"
    if zero_left or zero_right:
        return zero_right - zero_left
    order = compare(version_left, version_right)
    return order or ["fixed", "introduced", "last_affected"].index(kind_left) - [
        "fixed",
        "introduced",
        "last_affected",
    ].index(kind_right)


def in_versions(version, listed):
    return any(version == one or (parsed(version) is not None and parsed(version) == parsed(one)) for one in listed)


def in_ranges(version, ranges):
    for span in ranges:
        if span["type"] == "GIT":
            continue
        limits = [event["limit"] for event in span["events"] if "limit" in event]
        if limits and not any(limit == "*" or compare(version, limit) < 0 for limit in limits):
            continue
        vulnerable = False
        events = [event for event in span["events"] if "limit" not in event]
        for event in sorted(events, key=functools.cmp_to_key(compare_events)):
            if "introduced" in event:
                if event["introduced"] == "0" or compare(version, event["introduced"]) >= 0:
                    vulnerable = True
            elif "fixed" in event:
                if compare(version, event["fixed"]) >= 0:
                    vulnerable = False
            elif compare(version, event["last_affected"]) > 0:
                vulnerable = False
        if vulnerable:
            return True
    return False


def named_versions(records):
    """Return package -> every version that a record names, in a list or as an event other than "0"."""
    named = {}
    for record in records:
        for affected in record["affected"]:
            versions = named.setdefault(normal(affected["package"]["name"]), set())
            versions.update(affected.get("versions", ()))
            for span in affected.get("ranges", ()):
                if span["type"] != "GIT":
                    versions.update(text for event in span["events"] for text in event.values() if text != "0")
    return named


def all_matches(records):
    """Return {(package, version, record id): (by the list, by a range)} over `named_versions`."""
    named = named_versions(records)
    found = {}
    for record in records:
        if "withdrawn" in record:
            continue
        for affected in record["affected"]:
            package = normal(affected["package"]["name"])
            for version in named[package]:
                by_list = in_versions(version, affected.get("versions", ()))
                by_range = in_ranges(version, affected.get("ranges", ()))
                if by_list or by_range:
                    found[package, version, record["id"]] = (by_list, by_range)
    return found
