"""Exchange rates of the day."""

from decimal import Decimal

import httpx


def convert(amount: Decimal, to: str, client: httpx.Client) -> Decimal:
    """Return `amount` of euros in another currency, rounded to cents; `client` has the rate service as its base."""
    answer = client.get("/latest", params={"base": "EUR", "symbols": to})
    answer.raise_for_status()
    rate = Decimal(str(answer.json()["rates"][to]))
    return (amount * rate).quantize(Decimal("0.01"))
