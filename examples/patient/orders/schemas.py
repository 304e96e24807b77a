"""What goes over the wire."""

from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field


class LineIn(BaseModel):
    sku: str = Field(min_length=1, max_length=40)
    quantity: int = Field(gt=0)
    price: Decimal = Field(ge=0, decimal_places=2)


class OrderIn(BaseModel):
    customer: str = Field(min_length=1, max_length=200)
    note: str = Field(default="", max_length=2000)
    lines: list[LineIn] = Field(min_length=1)


class LineOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    sku: str
    quantity: int
    price: Decimal


class OrderOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    customer: str
    note: str
    created_at: datetime
    total: Decimal
    lines: list[LineOut]


class Token(BaseModel):
    access_token: str
    token_type: str = "bearer"
