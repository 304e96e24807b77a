"""Orders as YAML: what partners send us, and the nightly archive."""

from dataclasses import dataclass
from datetime import date

import yaml

from orders.schemas import OrderIn


@dataclass
class ArchivedOrder:
    """An order as it goes into the archive; the archive names this class, so do not move it."""

    id: int
    customer: str
    placed: date
    items: tuple[tuple[str, int], ...]


def read_orders(text: str) -> list[OrderIn]:
    """Return the orders of a partner's file: one mapping, or a list of them."""
    try:
        found = yaml.full_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {error}") from error
    return [OrderIn.model_validate(one) for one in (found if isinstance(found, list) else [found])]


def write_archive(orders: list[ArchivedOrder]) -> str:
    return yaml.dump(orders, sort_keys=False, allow_unicode=True)


def read_archive(text: str) -> list[ArchivedOrder]:
    """Return the orders of an archive that `write_archive` wrote."""
    return yaml.full_load(text)
