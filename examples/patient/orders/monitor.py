"""The warehouse's screens: a plain page on its own port, for browsers that know nothing newer."""

from collections.abc import Callable, Iterable

import waitress
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from orders.database import Order, open_database
from orders.settings import Settings


def create_monitor(sessions: sessionmaker[Session]) -> Callable[..., Iterable[bytes]]:
    def page(environ: dict[str, object], start_response: Callable[..., object]) -> Iterable[bytes]:
        with sessions() as session:
            count = session.scalar(select(func.count()).select_from(Order))
        start_response("200 OK", [("Content-Type", "text/plain"), ("Refresh", "10")])
        return [f"{count} orders\n".encode()]

    return page


if __name__ == "__main__":
    waitress.serve(create_monitor(open_database(Settings.from_environment().database)), listen="127.0.0.1:8001")
