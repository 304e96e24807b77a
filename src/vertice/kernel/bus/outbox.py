"""Messages for the broker, written with the change they tell of and sent on in their order when they can be."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from vertice.kernel.bus.tables import OutboxRow
from vertice.kernel.codec import canonical
from vertice.kernel.database import WriteSession

__all__ = ["post"]


def post(
    session: WriteSession,
    destination: str,
    kind: str,
    *,
    subject: str,
    data: Mapping[str, Any],
    at: datetime,
    traceparent: str = "",
    correlation_id: str = "",
) -> str:
    """Leave a message for `destination` (a queue) in the caller's transaction; return its id."""
    message_id = str(uuid4())
    session.add(
        OutboxRow(
            id=message_id,
            destination=destination,
            type=kind,
            subject=subject[:200],
            data=canonical(data).decode(),
            traceparent=traceparent,
            correlation_id=correlation_id,
            at=at,
            sent_at=None,
            attempts=0,
            error="",
        )
    )
    return message_id
