"""Which imported names the source of one Python file uses, and on which lines: scopes and aliases resolved, by `ast`.

Everything a name may be bound to counts, whatever the order of the statements: reachability asks what *can* be meant.
A resolved name is dotted, with `()` after a class that was called to make the object: `e = jinja2.Environment()` makes
`e.from_string` the name `jinja2.Environment().from_string`. What a plain function returns is not followed.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vertice.adaptive.triage.scopes import Instance, Scope, dynamic_import, look_up, resolve

__all__ = ["FileNames", "Use", "import_lines", "names_in"]

_LEAVES = frozenset({ast.Constant, ast.Load, ast.Store, ast.Pass, ast.Break, ast.Continue})

_IMPORT_LINE = re.compile(
    rb"^[ \t]*(?:from[ \t]+(?P<source>[\w.]+)[ \t]+import\b|import[ \t]+(?P<names>[\w., \t]+))", re.MULTILINE
)


@dataclass(frozen=True, slots=True, order=True)
class Use:
    """One name used on one line."""

    line: int
    name: str
    imported: bool = False
    """The line is the import itself."""
    runs_at: int = 0
    """Line that runs when the use takes effect: the line itself, or for a name in a function's signature or decorators
    the first statement of that function."""
    in_function: bool = False
    """It takes effect when a function is called, not when the module is imported."""


@dataclass(frozen=True, slots=True)
class FileNames:
    """What one file uses and what it hands on."""

    module: str
    """Dotted module name by its path from the project's root."""
    uses: tuple[Use, ...]
    """Sorted."""
    exports: dict[str, tuple[str, ...]]
    """Module-level name -> what it is bound to. `*` -> the modules imported with a star."""


@dataclass(frozen=True, slots=True, eq=False)
class _Reference:
    node: ast.expr
    scope: Scope
    runs_at: int
    in_function: bool


def names_in(path: str, source: bytes) -> FileNames:
    """Return what the file at `path` (relative, `/`-separated) uses.

    Raises what `ast.parse` raises on a file that is no Python 3 (SyntaxError, ValueError, RecursionError, MemoryError).
    """
    module = path.removesuffix(".py").replace("/", ".").removesuffix("__init__").removesuffix(".")
    package = module if path.endswith("__init__.py") else module.rpartition(".")[0]
    gathered = _Gathered(package)
    gathered.walk(ast.parse(source, filename=path).body, gathered.module)
    uses = {*gathered.imports, *gathered.uses()}
    exports = {name: look_up(gathered.module, name) for name in gathered.module.binds}
    if gathered.module.stars:
        exports["*"] = tuple(dict.fromkeys(gathered.module.stars))
    return FileNames(module, tuple(sorted(uses)), {name: targets for name, targets in exports.items() if targets})


def import_lines(path: str, source: bytes) -> FileNames:
    """Return the modules that the file's import lines name, for a file that `names_in` cannot read."""
    uses = []
    for match in _IMPORT_LINE.finditer(source):
        line = source.count(b"\n", 0, match.start()) + 1
        found = match["source"] or match["names"]
        for part in found.decode("ascii", "replace").split(","):
            words = part.split()
            if words and not words[0].startswith("."):
                uses.append(Use(line, words[0], imported=True, runs_at=line))
    return FileNames(path.removesuffix(".py").replace("/", "."), tuple(sorted(uses)), {})


class _Gathered:
    """Every binding of every scope of one file and every reference; references are resolved when all is gathered."""

    def __init__(self, package: str) -> None:
        self.module = Scope()
        self.imports: list[Use] = []
        self._package = package
        self._references: list[_Reference] = []

    def uses(self) -> Iterator[Use]:
        """Yield every use but the imports, resolved."""
        for reference in self._references:
            line = reference.node.lineno
            for name in resolve(reference.scope, reference.node):
                yield Use(line, name, runs_at=reference.runs_at or line, in_function=reference.in_function)

    def walk(self, nodes: Iterable[ast.AST], scope: Scope, *, runs_at: int = 0) -> None:
        """Gather everything below `nodes`. `runs_at` is the line that counts, where it is not the node's own."""
        stack = list(nodes)[::-1]
        while stack:
            node = stack.pop()
            if type(node) in _LEAVES:
                continue
            match node:
                case ast.Attribute() | ast.Name():
                    stack.extend(self._name(node, scope, runs_at))
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    self._function(node, scope)
                case ast.Lambda():
                    self._lambda(node, scope, runs_at)
                case ast.ClassDef():
                    self._class(node, scope, runs_at)
                case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                    self.walk(ast.iter_child_nodes(node), scope.inner(), runs_at=runs_at)
                case _:
                    self._bindings(node, scope)
                    stack.extend([*ast.iter_child_nodes(node)][::-1])

    def _name(self, node: ast.Attribute | ast.Name, scope: Scope, runs_at: int) -> list[ast.expr]:
        """Note a whole chain `a.b.c` once; return what is left to walk: the call or alike that it starts from."""
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            scope.bind(node.id)
            return []
        self._references.append(_Reference(node, scope, runs_at, scope.in_function or runs_at > 0))
        root: ast.expr = node
        while isinstance(root, ast.Attribute):
            root = root.value
        return [] if isinstance(root, ast.Name) else [root]

    def _bindings(self, node: ast.AST, scope: Scope) -> None:
        match node:
            case ast.Import() | ast.ImportFrom() | ast.Call():
                self._imports(node, scope)
            case ast.Assign():
                for target in node.targets:
                    _assign(target, node.value, scope)
            case ast.NamedExpr():
                _assign(node.target, node.value, scope)
            case ast.AnnAssign():
                _assign(node.target, Instance(node.annotation), scope)
                if node.value:
                    _assign(node.target, node.value, scope)
            case ast.withitem(optional_vars=ast.expr() as target):
                _assign(target, node.context_expr, scope)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                scope.bind(name)
            case ast.Global():
                scope.outer.update(dict.fromkeys(node.names, self.module))
            case ast.Nonlocal() if scope.parent is not None:
                scope.outer.update(dict.fromkeys(node.names, scope.parent))

    def _imports(self, node: ast.Import | ast.ImportFrom | ast.Call, scope: Scope) -> None:
        match node:
            case ast.Import():
                for alias in node.names:
                    self._imported(node, alias.name, scope)
                    top = alias.name.split(".")[0]
                    scope.bind(alias.asname or top, alias.name if alias.asname else top)
            case ast.ImportFrom():
                source = self._absolute(node)
                for alias in node.names:
                    name = f"{source}.{alias.name}" if source else alias.name
                    self._imported(node, name, scope)
                    if alias.name == "*":
                        scope.stars.append(source)
                    else:
                        scope.bind(alias.asname or alias.name, name)
            case ast.Call() if name := dynamic_import(node):
                self._imported(node, name, scope)

    def _imported(self, node: ast.stmt | ast.expr, name: str, scope: Scope) -> None:
        self.imports.append(Use(node.lineno, name, True, node.lineno, scope.in_function))

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self._package.split(".") if self._package else []
        parts = parts[: max(0, len(parts) - (node.level - 1))]
        return ".".join([*parts, node.module] if node.module else parts)

    def _class(self, node: ast.ClassDef, scope: Scope, runs_at: int) -> None:
        scope.bind(node.name, *node.bases)  # a subclass is used in its base's place
        self.walk([*node.decorator_list, *node.bases, *node.keywords], scope, runs_at=runs_at)
        self.walk(node.body, scope.inner(is_class=True))

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> None:
        scope.bind(node.name)
        first = _first_line(node.body)
        returns = [node.returns] if node.returns else []
        self.walk([*node.decorator_list, *returns, *_signature(node.args)], scope, runs_at=first)
        inner = scope.inner(in_function=True)
        _bind_arguments(node.args, inner)
        self.walk(node.body, inner)

    def _lambda(self, node: ast.Lambda, scope: Scope, runs_at: int) -> None:
        self.walk(_signature(node.args), scope, runs_at=runs_at)
        inner = scope.inner(in_function=True)
        _bind_arguments(node.args, inner)
        self.walk([node.body], inner, runs_at=runs_at)


def _assign(target: ast.expr, value: ast.expr | Instance, scope: Scope) -> None:
    match target:
        case ast.Name():
            scope.bind(target.id, value)
        case ast.Attribute(value=ast.Name(id="self"), attr=attr):
            owner = scope.nearest_class()
            if owner is not None:
                owner.bind(f"self.{attr}", value, read_in=scope)


def _arguments(arguments: ast.arguments) -> list[ast.arg]:
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]


def _variadic(arguments: ast.arguments) -> list[ast.arg]:
    return [argument for argument in (arguments.vararg, arguments.kwarg) if argument]


def _signature(arguments: ast.arguments) -> list[ast.expr]:
    """Return the annotations and defaults, which are evaluated outside of the function."""
    named = [argument.annotation for argument in (*_arguments(arguments), *_variadic(arguments))]
    return [part for part in (*named, *arguments.defaults, *arguments.kw_defaults) if part]


def _bind_arguments(arguments: ast.arguments, inner: Scope) -> None:
    for argument in _arguments(arguments):
        inner.bind(argument.arg, *([Instance(argument.annotation)] if argument.annotation else []))
    for argument in _variadic(arguments):
        inner.bind(argument.arg)


def _first_line(body: list[ast.stmt]) -> int:
    """Return the line of the first statement that is no docstring."""
    first = body[0]
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return body[1].lineno if is_text and len(body) > 1 else first.lineno
