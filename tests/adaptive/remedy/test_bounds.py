"""A range is moved just as far as the fix needs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from vertice.adaptive.remedy.bounds import raised


@pytest.mark.parametrize(
    ("before", "fixed", "after"),
    [
        ("jinja2", "3.1.4", "jinja2>=3.1.4"),
        ("jinja2[i18n] ; os_name == 'x'", "3.1.4", "jinja2[i18n]>=3.1.4 ; os_name == 'x'"),
        ("jinja2>=2.0", "3.1.4", "jinja2>=3.1.4"),
        ("jinja2>=2.0,<3", "2.11.3", "jinja2>=2.11.3,<3"),
        ("jinja2 >=2.0, <3", "3.1.4", "jinja2 >=3.1.4, <4"),
        ("jinja2<3", "2.11.3", "jinja2<3,>=2.11.3"),
        ("jinja2<2.12", "3.1.4", "jinja2<3.2,>=3.1.4"),
        ("starlette<0.28.0,>=0.27.0", "0.40.1", "starlette<0.41.0,>=0.40.1"),
        ("jinja2<=2.11.2", "2.11.3", "jinja2<=2.11.3,>=2.11.3"),
        ("jinja2>2.0", "2.11.3", "jinja2>=2.11.3"),
        ("jinja2~=2.11", "2.11.3", "jinja2~=2.11,>=2.11.3"),
        ("jinja2~=2.11", "3.1.4", "jinja2~=3.1,>=3.1.4"),
        ("jinja2==2.11.*", "2.11.3", "jinja2==2.11.*,>=2.11.3"),
        ("jinja2==2.*", "3.1.4", "jinja2==3.*,>=3.1.4"),
        ("jinja2==2.11.2", "2.11.3", "jinja2==2.11.3"),
        ("jinja2>=2,!=2.11.1", "2.11.3", "jinja2>=2.11.3,!=2.11.1"),
        ("fastapi (==0.104.1)", "0.107.0", "fastapi (==0.107.0)"),
        ("jinja2 (>=2,<3)", "3.1.4", "jinja2 (>=3.1.4,<4)"),
        ("jinja2>=3.1.4,<4", "3.1.4", "jinja2>=3.1.4,<4"),
    ],
)
def test_a_bound_goes_to_the_fix_and_the_rest_stays(before: str, fixed: str, after: str) -> None:
    assert raised(before, Version(fixed)) == after


EVERY = [f"{x}.{y}.{z}" for x in range(5) for y in range(5) for z in range(5)]
CLAUSES = [f"{operator}{x}.{y}" for operator in (">=", ">", "<", "<=", "~=") for x in range(6) for y in range(6)]


@settings(deadline=None)
@given(st.lists(st.sampled_from(EVERY), min_size=2, max_size=2, unique=True), st.data())
def test_the_moved_range_holds_the_fix_and_nothing_below_it(pair: list[str], data: st.DataObject) -> None:
    in_use, fixed = sorted(pair, key=Version)
    holding = [clause for clause in CLAUSES if SpecifierSet(clause).contains(in_use)]
    parts = data.draw(st.lists(st.sampled_from(holding), max_size=3))
    after = SpecifierSet(raised(f"a{','.join(parts)}", Version(fixed))[1:])
    assert after.contains(fixed)
    assert not [one for one in EVERY if Version(one) < Version(fixed) and after.contains(one)]
