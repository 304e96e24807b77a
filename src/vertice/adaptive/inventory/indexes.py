"""Package indexes that a manifest names."""

from collections.abc import Iterable, Sequence

from vertice.adaptive.inventory.requirements_text import Option
from vertice.adaptive.inventory.syntax import public_url
from vertice.kernel.text import printable

__all__ = ["DEFAULT_INDEX", "indexes_of", "indexes_of_options"]

DEFAULT_INDEX = "https://pypi.org/simple"


def indexes_of(urls: Iterable[str], where: str) -> tuple[tuple[str, ...], list[str]]:
    """Return the index URLs without credentials, in order, and warnings; nothing when only the default is named."""
    found: list[str] = []
    warnings = []
    for url in urls:
        bare, secret = public_url(url)
        if not bare:
            warnings.append(f"{where}: `{printable(url, limit=120)}` is not an http(s) index and was left out")
            continue
        if secret:
            warnings.append(f"{where}: the credentials in the URL of index {bare} were left out")
        found.append(bare)
    unique = tuple(dict.fromkeys(found))
    return ((), warnings) if unique == (DEFAULT_INDEX,) else (unique, warnings)


def indexes_of_options(options: Sequence[Option]) -> tuple[tuple[str, ...], list[str]]:
    """Return what `--index-url` and `--extra-index-url` say, the default index first, and warnings."""
    first: list[Option] = []
    more: list[Option] = []
    warnings = []
    for option in options:
        match option.name:
            case "--index-url":
                first = [option]
            case "--extra-index-url":
                more.append(option)
            case "--find-links" | "--no-index":
                warnings.append(f"{option.file}:{option.line}: `{option.name}` is not followed")
    if not first and not more:
        return (), warnings
    urls = [*((option.value for option in first) if first else (DEFAULT_INDEX,)), *(option.value for option in more)]
    found, told = indexes_of(urls, f"{(first or more)[0].file}:{(first or more)[0].line}")
    return found, [*warnings, *told]
