"""Roles, scopes, and what is said to whoever lacks one."""

import itertools
from uuid import uuid4

import pytest

from vertice.kernel.auth.model import SCOPES_OF, AuthError, ForbiddenError, Principal, Role, Scope, require
from vertice.kernel.errors import VerticeError


def principal(role: Role, *scopes: Scope, kind="token") -> Principal:
    return Principal("local|x", "Ada", "", role, kind, frozenset(scopes or SCOPES_OF[role]), uuid4())


@pytest.mark.parametrize(("lesser", "greater"), [*itertools.combinations(Role, 2)])
def test_each_role_covers_those_before_it_and_itself(lesser, greater):
    assert greater.covers(lesser)
    assert greater.covers(greater)
    assert not lesser.covers(greater)
    assert SCOPES_OF[lesser] <= SCOPES_OF[greater]


def test_only_an_admin_manages_and_a_viewer_only_looks():
    assert [role for role in Role if Scope.admin in SCOPES_OF[role]] == [Role.admin]
    assert SCOPES_OF[Role.viewer] == {Scope.read}


@pytest.mark.parametrize("scope", Scope)
def test_a_scope_allows_itself_alone(scope):
    somebody = principal(Role.admin, scope)
    assert [other for other in Scope if somebody.may(other)] == [scope]


def test_who_lacks_something_is_told_what():
    require(principal(Role.admin), role=Role.admin, scope=Scope.admin)
    with pytest.raises(ForbiddenError, match="takes the role lead, you have reviewer"):
        require(principal(Role.reviewer), role=Role.lead)
    with pytest.raises(ForbiddenError, match="the token lacks the scope decide"):
        require(principal(Role.lead, Scope.read), role=Role.lead, scope=Scope.decide)
    with pytest.raises(ForbiddenError, match="the role viewer does not allow write"):
        require(principal(Role.viewer, kind="session"), scope=Scope.write)


@pytest.mark.parametrize("kind", [AuthError, ForbiddenError])
def test_the_errors_survive_as_json(kind):
    error = kind("no", where="here", todo="that")
    assert VerticeError.from_dict(error.to_dict()) == error
