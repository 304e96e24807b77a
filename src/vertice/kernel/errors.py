"""The one error tree.

    VerticeError
    ├── InputError          exit code 2: what was given is wrong; the person can mend it
    │   └── UnknownError    what was named is not there
    └── UnfinishedError     exit code 3: the input is fine, but the work could not be finished

Every error says *what* was wrong, *where*, and *what to do*. Domains derive their own classes from one of the two
branches only when somebody catches them by name. Nothing else in the package raises an exception of its own.
"""

import errno
from typing import Any, ClassVar

__all__ = ["InputError", "UnfinishedError", "UnknownError", "VerticeError", "from_os_error"]


class VerticeError(Exception):
    """Catch me to handle anything Vértice reports to a person.

    `what` is one sentence, `where` a file, line, package or URL, `todo` the next thing to try.
    The three parts are all there is to an error, so it survives a workflow step as JSON.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 3
    http_status: ClassVar[int] = 500

    def __init__(self, what: str, *, where: str = "", todo: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.todo = todo

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}. {self.todo}" if self.todo else head

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.__dict__ == self.__dict__

    def __hash__(self) -> int:
        return hash((type(self), self.what, self.where, self.todo))

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.what, self.where, self.todo))

    def to_dict(self) -> dict[str, str]:
        """Return the JSON form: code, what, where, todo."""
        return {"code": self.code, "what": self.what, "where": self.where, "todo": self.todo}

    @classmethod
    def from_dict(cls, data: dict[str, str]) -> "VerticeError":
        """Rebuild the error of the class whose `code` the JSON form names, `cls` if there is none."""
        found = next((kind for kind in _walk(cls) if kind.code == data["code"]), cls)
        return found(data["what"], where=data["where"], todo=data["todo"])


class InputError(VerticeError):
    """Catch me for anything the person can mend in what they gave (exit code 2)."""

    code = "bad-input"
    exit_code = 2
    http_status = 422


class UnknownError(InputError):
    """Catch me when what was named is not there."""

    code = "unknown"
    http_status = 404


class UnfinishedError(VerticeError):
    """Catch me for work that could not be finished though the input was fine (exit code 3)."""

    code = "unfinished"
    exit_code = 3
    http_status = 503


def from_os_error(error: OSError, doing: str) -> VerticeError:
    """Say an operating-system error in our three parts; `doing` is what was tried ("writing the report")."""
    where = str(error.filename or "")
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return UnfinishedError(
                f"no space left while {doing}", where=where, todo="Free some space and run it again."
            )
        case errno.ENOENT:
            return InputError("no such file or directory", where=where, todo="Check the path.")
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return InputError(f"not allowed while {doing}", where=where, todo="Check the permissions.")
        case errno.EISDIR:
            return InputError(f"is a directory, not a file, while {doing}", where=where, todo="Name a file.")
        case errno.ENOTDIR | errno.EEXIST:
            return InputError(f"a file is where a folder is needed, while {doing}", where=where, todo="Check the path.")
        case errno.ENAMETOOLONG | errno.ELOOP:
            return InputError(f"{error.strerror} while {doing}", where=where, todo="Check the path.")
        case _:
            return UnfinishedError(f"{error.strerror or error} while {doing}", where=where, todo="Run it again.")


def _rebuild(kind: type[VerticeError], what: str, where: str, todo: str) -> VerticeError:
    return kind(what, where=where, todo=todo)


def _walk(kind: type[VerticeError]) -> list[type[VerticeError]]:
    return [kind, *(deeper for child in kind.__subclasses__() for deeper in _walk(child))]
