"""What holds for the whole package: the error tree, and the names that modules promise."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import pytest

import vertice
from vertice.adaptive.api.problems import KINDS
from vertice.kernel.errors import InputError, UnfinishedError, VerticeError

NOT_IMPORTED = ("vertice.adaptive.wargame.probes", "vertice.adaptive.wargame.inside", "vertice.kernel.migrations.env")
"""Programs that run inside the sandbox, and Alembic's script: none is a module of ours."""
EXIT_CODES = {2: "bad usage or input", 3: "could not finish"}
"""Of the four of DESIGN §10 those that an error may have: 0 and 1 are answers."""

CAUGHT_WHERE_RAISED = {"Refused"}
"""Errors that leave their module as little as those whose name begins with an underscore."""

UNPROMISED = ("vertice.cli.", "vertice.kernel.migrations.")
"""Typer and Alembic find commands and migrations by other ways than the names of functions."""


def names() -> Iterator[str]:
    found = pkgutil.walk_packages(vertice.__path__, "vertice.", onerror=lambda _: None)
    yield from (module.name for module in found if not module.name.startswith((*NOT_IMPORTED, "vertice.__main__")))


MODULES = [importlib.import_module(name) for name in names()]


def kinds(kind: type[VerticeError]) -> Iterator[type[VerticeError]]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__.startswith("vertice."):
            yield from kinds(child)


ERRORS = list(kinds(VerticeError))


def test_all_of_the_package_is_looked_at() -> None:
    assert len(MODULES) > 100
    assert {InputError, UnfinishedError} < set(ERRORS)


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_an_error_has_a_code_of_its_own_and_an_exit_code(kind: type[VerticeError]) -> None:
    assert [other for other in ERRORS if other.code == kind.code] == [kind]
    assert kind.code.replace("-", "").isalpha()
    assert kind.exit_code in EXIT_CODES
    assert 400 <= kind.http_status < 600


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_what_an_errors_code_means_can_be_looked_up(kind: type[VerticeError]) -> None:
    explained = {known.code: known.status for known in KINDS}
    assert (kind.code in explained) != (kind.__name__.startswith("_") or kind.__name__ in CAUGHT_WHERE_RAISED)
    assert explained.get(kind.code, kind.http_status) == kind.http_status


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_an_error_survives_a_workflow_step(kind: type[VerticeError]) -> None:
    error = kind("what", where="where", todo="todo")
    assert VerticeError.from_dict(error.to_dict()) == error
    assert str(error) == "where: what. todo"


def test_no_exception_stands_outside_the_tree() -> None:
    own = {
        value
        for module in MODULES
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, BaseException) and value.__module__ == module.__name__
    }
    assert own == set(ERRORS)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_a_module_promises_what_it_has(module: ModuleType) -> None:
    promised = getattr(module, "__all__", [])
    assert len(set(promised)) == len(promised)
    assert [name for name in promised if not hasattr(module, name)] == []
    if module.__name__.startswith(UNPROMISED):
        return
    public = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and getattr(value, "__module__", None) == module.__name__
        and (inspect.isclass(value) or inspect.isfunction(value))
    }
    assert public <= set(promised), "a name without an underscore is promised"
