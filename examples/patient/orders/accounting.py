"""The day's turnover goes to the accountants' server, an old one with a certificate and a session cookie."""

from collections.abc import Iterable

import requests

from orders.database import Order


def post_turnover(url: str, day: str, orders: Iterable[Order]) -> str:
    """Send number and sum of the day's orders; return the server's receipt."""
    booked = list(orders)
    cents = sum(int(order.total * 100) for order in booked)
    with requests.Session() as session:
        session.get(f"{url}/session", timeout=5).raise_for_status()
        answer = session.post(f"{url}/turnover", data={"day": day, "orders": len(booked), "cents": cents}, timeout=5)
        answer.raise_for_status()
        return answer.json()["receipt"]
