"""Poetry's constraints in PEP 440: the table of python-poetry.org/docs/dependency-specification."""

import pytest
from packaging.markers import Marker
from packaging.specifiers import SpecifierSet

from vertice.adaptive.inventory.poetry_constraint import python_marker, specifier


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        ("^1.2.3", ">=1.2.3,<2"),
        ("^1.2", ">=1.2,<2"),
        ("^1", ">=1,<2"),
        ("^0.2.3", ">=0.2.3,<0.3"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("^0.0", ">=0.0,<0.1"),
        ("^0", ">=0,<1"),
        ("~1.2.3", ">=1.2.3,<1.3"),
        ("~1.2", ">=1.2,<1.3"),
        ("~1", ">=1,<2"),
        ("*", ""),
        ("1.*", "==1.*"),
        ("1.2.3", "==1.2.3"),
        ("=1.2.3", "==1.2.3"),
        ("== 1.2.3", "==1.2.3"),
        (">= 1.2, < 1.5", ">=1.2,<1.5"),
        (">=1.2 <1.5", ">=1.2,<1.5"),
        ("~=1.4", "~=1.4"),
        ("!=1.5", "!=1.5"),
        ("^1.0b2", ">=1.0b2,<2"),
        ("", ""),
        ("^1 || ^2", None),
        ("latest", None),
        ("^", None),
    ],
)
def test_a_constraint_is_translated(constraint: str, expected: str | None) -> None:
    assert specifier(constraint) == expected
    if expected:
        SpecifierSet(expected)


@pytest.mark.parametrize(
    ("constraint", "version", "holds"),
    [
        ("^3.8", "3.11", True),
        ("^3.8", "3.7", False),
        (">=3.6.1,<3.9", "3.8", True),
        (">=3.6.1,<3.9", "3.9", False),
        ("<3.10", "3.9", True),
    ],
)
def test_a_python_constraint_is_a_marker(constraint: str, version: str, *, holds: bool) -> None:
    environment = {"python_version": version, "python_full_version": f"{version}.2"}
    assert Marker(python_marker(constraint)).evaluate(environment) is holds


@pytest.mark.parametrize("constraint", ["*", "", "^2 || ^3"])
def test_a_python_constraint_without_a_simple_marker_has_none(constraint: str) -> None:
    assert python_marker(constraint) == ""
