"""Scopes of one Python file, and what a name or expression in one of them can stand for."""

import ast
import builtins
from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = ["Instance", "Scope", "dynamic_import", "look_up", "resolve"]

_BUILTINS = frozenset(dir(builtins))
_MAX_SEGMENTS = 16
_MAX_TARGETS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """An object of the class that the expression (an annotation) names."""

    of: ast.expr


Bound: TypeAlias = str | ast.expr | Instance
"""What a name is bound to: a dotted name (by an import), an expression still to resolve, or an instance."""


@dataclass(slots=True, eq=False)
class Scope:
    """A module, class, function or comprehension."""

    parent: "Scope | None" = None
    is_class: bool = False
    in_function: bool = False
    binds: dict[str, list[tuple["Scope", Bound]]] = field(default_factory=dict)
    """Name -> what it is bound to, each with the scope in which that is to be read. An empty list: bound to something
    that is not followed, which hides an outer name all the same."""
    outer: dict[str, "Scope"] = field(default_factory=dict)
    """Names declared `global` or `nonlocal` -> the scope they live in."""
    stars: list[str] = field(default_factory=list)
    """Modules imported with a star anywhere in the file; one list for all its scopes."""
    resolved: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def bind(self, name: str, *targets: Bound, read_in: "Scope | None" = None) -> None:
        """Let `name` stand for `targets` too, which are read in this scope or in `read_in`."""
        bound = self.outer.get(name, self).binds.setdefault(name, [])
        bound.extend((read_in or self, target) for target in targets)

    def inner(self, *, is_class: bool = False, in_function: bool = False) -> "Scope":
        """Open a scope inside this one."""
        return Scope(self, is_class=is_class, in_function=in_function or self.in_function, stars=self.stars)

    def nearest_class(self) -> "Scope | None":
        """Return the class whose methods this scope stands in."""
        scope: Scope | None = self
        while scope is not None and not scope.is_class:
            scope = scope.parent
        return scope


def look_up(scope: Scope, name: str) -> tuple[str, ...]:
    """Return every dotted name that `name` may stand for in `scope`."""
    known = scope.resolved.get(name)
    if known is not None:
        return known
    scope.resolved[name] = ()  # a name bound to itself (`x = x.y`) ends here
    owner = _owner(scope, name)
    if owner is None:
        found = () if name in _BUILTINS else tuple(f"{star}.{name}" for star in scope.stars)
    elif owner is not scope:
        found = look_up(owner, name)
    else:
        targets = [target for read_in, bound in owner.binds[name] for target in _target(read_in, bound)]
        found = tuple(dict.fromkeys(targets))[:_MAX_TARGETS]
    scope.resolved[name] = found
    return found


def resolve(scope: Scope, node: ast.expr) -> tuple[str, ...]:
    """Return every dotted name that the expression may stand for."""
    match node:
        case ast.Name():
            return look_up(scope, node.id)
        case ast.Attribute():
            return _attribute(scope, node)
        case ast.Call():
            return _called(scope, node)
        case ast.Await() | ast.NamedExpr():
            choices = [node.value]
        case ast.IfExp():
            choices = [node.body, node.orelse]
        case ast.BoolOp():
            choices = node.values
        case _:
            choices = []
    return tuple(name for choice in choices for name in resolve(scope, choice))


def dynamic_import(node: ast.Call) -> str:
    """Return the module that an `import_module("x")` or `__import__("x")` with a literal, absolute name imports."""
    match node:
        case ast.Call(
            func=ast.Name(id="__import__" | "import_module") | ast.Attribute(attr="import_module"),
            args=[ast.Constant(value=str(name)), *_],
        ):
            return name if all(part.isidentifier() for part in name.split(".")) else ""
    return ""


def _owner(scope: Scope, name: str) -> Scope | None:
    """Return the scope that `name` is found in from `scope`; methods do not see the names of their class."""
    found: Scope | None = scope
    while found is not None:
        if name in found.outer:
            return found.outer[name] if name in found.outer[name].binds else None
        if name in found.binds and (not found.is_class or found is scope):
            return found
        found = found.parent
    return None


def _target(scope: Scope, bound: Bound) -> tuple[str, ...]:
    match bound:
        case str():
            return (bound,)
        case Instance():
            return tuple(f"{name}()" for name in _annotated(scope, bound.of))
        case _:
            return resolve(scope, bound)


def _attribute(scope: Scope, node: ast.Attribute) -> tuple[str, ...]:
    if isinstance(node.value, ast.Name) and node.value.id == "self":
        owner = scope.nearest_class()
        own = next((key for key in (f"self.{node.attr}", node.attr) if owner and key in owner.binds), "")
        return look_up(owner, own) if owner and own else ()
    bases = resolve(scope, node.value)
    return tuple(f"{base}.{node.attr}" for base in bases if base.count(".") < _MAX_SEGMENTS)


def _called(scope: Scope, node: ast.Call) -> tuple[str, ...]:
    name = dynamic_import(node)
    if name:
        imports_top = isinstance(node.func, ast.Name) and node.func.id == "__import__"
        return (name.split(".")[0],) if imports_top else (name,)
    match node:
        case ast.Call(func=ast.Name(id="getattr"), args=[value, ast.Constant(value=str(attr)), *_]):
            return tuple(f"{base}.{attr}" for base in resolve(scope, value))
    return tuple(f"{name}()" for name in resolve(scope, node.func) if _is_class(name))


def _annotated(scope: Scope, node: ast.expr) -> tuple[str, ...]:
    """Return the classes an annotation names, through quotes, `Optional`, `Annotated`, `Union` and `|`."""
    parts: list[ast.expr] = []
    match node:
        case ast.Name() | ast.Attribute():
            return tuple(name for name in resolve(scope, node) if _is_class(name))
        case ast.Constant(value=str(text)):
            try:
                parts = [ast.parse(text, mode="eval").body]
            except (SyntaxError, ValueError):
                parts = []
        case ast.BinOp(op=ast.BitOr()):
            parts = [node.left, node.right]
        case ast.Subscript(value=ast.Name(id=kind) | ast.Attribute(attr=kind)):
            inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            parts = {"Optional": inner, "Union": inner}.get(kind, [])
            parts = inner[:1] if kind in {"Annotated", "Final", "ClassVar"} else parts
    return tuple(name for part in parts for name in _annotated(scope, part))


def _is_class(name: str) -> bool:
    """Say whether the last part of a dotted name is written like a class (PEP 8)."""
    return name.rsplit(".", 1)[-1].lstrip("_")[:1].isupper() and not name.endswith("()")
