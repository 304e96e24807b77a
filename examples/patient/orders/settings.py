"""What differs from one installation to the next."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    secret: str
    database: str = "sqlite:///orders.db"
    invoices: Path = Path("invoices")
    supplier_url: str = ""
    """Told of every new order; "" when nobody wants to know."""

    @classmethod
    def from_environment(cls) -> "Settings":
        return cls(
            secret=os.environ["ORDERS_SECRET"],
            database=os.environ.get("ORDERS_DATABASE", cls.database),
            invoices=Path(os.environ.get("ORDERS_INVOICES", cls.invoices)),
            supplier_url=os.environ.get("ORDERS_SUPPLIER_URL", ""),
        )
