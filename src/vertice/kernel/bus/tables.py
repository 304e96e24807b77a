"""The tables of this room. Nothing outside sees these classes: its store gives dataclasses."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from vertice.kernel.database import Table, UtcDateTime

__all__ = ["EventHeadRow", "EventRow", "InboxRow", "OutboxRow"]


class EventHeadRow(Table):
    """The last sequence number of a channel; its row lock puts writers of the channel in a queue."""

    __tablename__ = "event_heads"

    channel: Mapped[str] = mapped_column(String(100), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger())
    at: Mapped[datetime] = mapped_column(UtcDateTime())


class EventRow(Table):
    """One event of one channel, kept for whoever was away."""

    __tablename__ = "events"
    __table_args__ = (Index("ix_events_at", "at"),)

    channel: Mapped[str] = mapped_column(String(100), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger(), primary_key=True, autoincrement=False)
    type: Mapped[str] = mapped_column(String(50))
    subject: Mapped[str] = mapped_column(String(200))
    data: Mapped[str] = mapped_column(Text())
    at: Mapped[datetime] = mapped_column(UtcDateTime())


class OutboxRow(Table):
    """A message that waits for the broker; `sent_at` is None until the broker has it."""

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("id", name="uq_outbox_id"),
        Index("ix_outbox_sent_at", "sent_at", "seq"),
    )

    # SQLite counts up by itself only for INTEGER PRIMARY KEY.
    seq: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)
    id: Mapped[str] = mapped_column(String(36))
    destination: Mapped[str] = mapped_column(String(100))
    type: Mapped[str] = mapped_column(String(100))
    subject: Mapped[str] = mapped_column(String(200))
    data: Mapped[str] = mapped_column(Text())
    traceparent: Mapped[str] = mapped_column(String(100))
    correlation_id: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime] = mapped_column(UtcDateTime())
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    attempts: Mapped[int] = mapped_column(Integer())
    error: Mapped[str] = mapped_column(Text())


class InboxRow(Table):
    """A message that was taken, so that it is taken once."""

    __tablename__ = "inbox"

    source: Mapped[str] = mapped_column(String(300), primary_key=True)
    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime())
    outcome: Mapped[str] = mapped_column(Text())
