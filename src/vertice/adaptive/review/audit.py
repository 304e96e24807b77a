"""The audit chain: who did what, each entry sealed to the one before.

An entry's hash is the sha256 of the canonical JSON of its own columns, the previous hash included, so a change, an
insertion, a removal or a swap breaks the chain at that place. Two things more:

- `audit_head` names the last entry, and an *anchor* file in the home of each machine that writes does so outside the
  database: a tail that was cut off is missed. It is written just after each commit there and whenever the chain was
  found whole, so it may lag behind what other machines or a process that crashed wrote, never lead.
- Each entry's payload has under `rows` the digests of the rows it wrote ("" for one it removed). A review or decision
  that was changed past the store is found too, and so is one that was added or removed.
"""

import fcntl
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field
from sqlalchemy import insert, select, update
from sqlalchemy.engine import URL

from vertice.adaptive.review.tables import AuditEntryRow, AuditHead
from vertice.kernel.codec import DESCRIBED, canonical
from vertice.kernel.database import ReadSession, WriteSession
from vertice.kernel.errors import UnfinishedError, from_os_error
from vertice.kernel.files import read_text, write_atomic

__all__ = [
    "GENESIS",
    "Anchor",
    "AuditEntry",
    "AuditReport",
    "Head",
    "NewEntry",
    "append",
    "append_all",
    "entries",
    "is_empty",
    "last_head",
    "verify_chain",
]

GENESIS = "0" * 64
"""`prev_hash` of the first entry."""

_FIELDS = ("seq", "at", "actor", "action", "subject", "payload", "prev_hash", "hash")


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry. All but the number is text, exactly as it was sealed."""

    __pydantic_config__: ClassVar = DESCRIBED

    seq: int
    """Its place in the chain, from 1 without a gap."""
    at: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    """RFC 3339, UTC."""
    actor: str
    """Who did it: `Name <e-mail>`, the id of a login, or `vertice` for what no person did."""
    action: str
    """What was done, in two words: `decision.recorded`. There will be more of them."""
    subject: str
    """What it was done to: a review's code, a project's id."""
    payload: str
    """Canonical JSON text; `rows` in it has the sha256 of every row that was written."""
    prev_hash: str
    """`hash` of the entry before; of the first, 64 zeros."""
    hash: str
    """sha256 over all the others."""

    def sealed(self) -> bool:
        """Say whether the hash fits the rest."""
        return self.hash == _seal(self)


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: how many entries, and the hash of the last."""

    seq: int = 0
    hash: str = GENESIS


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What a verification found."""

    __pydantic_config__: ClassVar = DESCRIBED

    ok: bool
    entries: int
    """How many were checked."""
    first_bad_seq: int | None = None
    """The first entry that is wrong, missing, or whose rows were changed; None when ok or when no entry is to blame."""
    why: str = ""
    """What is wrong; "" when ok."""


class Anchor:
    """The head of the chain, kept in a file outside the database."""

    def __init__(self, home: Path, url: URL) -> None:
        name = hashlib.sha256(_identity(home, url).encode()).hexdigest()[:16]
        self.path = home / "audit" / f"{name}.json"

    @property
    def begun(self) -> bool:
        """Whether there ever was an anchor here; where there is none now, it was removed."""
        return self.path.exists() or self._lock.exists()

    def read(self) -> Head | None:
        """Return what was anchored, None when there is no file. Raises UnfinishedError when it cannot be read."""
        if not self.path.exists():
            return None
        try:
            data = json.loads(read_text(self.path))
            return Head(int(data["seq"]), str(data["hash"]))
        except (ValueError, KeyError, TypeError) as error:
            raise UnfinishedError(
                "the audit chain's anchor cannot be read", where=str(self.path), todo="Restore it from a backup."
            ) from error

    def begin(self) -> None:
        """Anchor the empty chain unless there is an anchor: from now on a missing anchor means that one was removed."""
        with self._locked():
            if self.read() is None:
                self._write(Head())

    def advance(self, head: Head) -> None:
        """Anchor `head` unless the anchor is missing (that is for a person to mend) or further on."""
        if not self.path.exists():
            return
        with self._locked():
            known = self.read()
            if known is not None and known.seq < head.seq:
                self._write(head)

    def replace(self, head: Head) -> None:
        """Anchor `head` whatever was there: after a restore, or on another machine of the same database."""
        with self._locked():
            self._write(head)

    def _write(self, head: Head) -> None:
        write_atomic(self.path, canonical({"seq": head.seq, "hash": head.hash}) + b"\n", mode=0o600)

    @property
    def _lock(self) -> Path:
        return self.path.with_suffix(".lock")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self._lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            stream = self._lock.open("w")
        except OSError as error:
            raise from_os_error(error, "anchoring the audit chain") from error
        with stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield


@dataclass(frozen=True, slots=True)
class NewEntry:
    """What is to be entered."""

    actor: str
    action: str
    subject: str
    payload: Mapping[str, object]


async def append(
    session: WriteSession,
    *,
    actor: str,
    action: str,
    subject: str,
    payload: Mapping[str, object],
    clock: Callable[[], datetime],
) -> Head:
    """Add one entry in the caller's transaction and return the new head."""
    return (await append_all(session, [NewEntry(actor, action, subject, payload)], clock))[-1]


async def append_all(session: WriteSession, new: Sequence[NewEntry], clock: Callable[[], datetime]) -> tuple[Head, ...]:
    """Add at least one entry in the caller's transaction; return the head after each."""
    query = select(AuditHead.seq, AuditHead.hash).where(AuditHead.id == 1).with_for_update()
    head = Head(*(await session.execute(query)).one())
    at = clock().astimezone(UTC).isoformat(timespec="microseconds")
    sealed, heads = [], []
    for entry in new:
        draft = AuditEntry(
            seq=head.seq + 1,
            at=at,
            actor=entry.actor,
            action=entry.action,
            subject=entry.subject,
            payload=canonical(entry.payload).decode(),
            prev_hash=head.hash,
            hash="",
        )
        values = {name: getattr(draft, name) for name in _FIELDS} | {"hash": _seal(draft)}
        head = Head(draft.seq, values["hash"])
        sealed.append(values)
        heads.append(head)
    await session.execute(insert(AuditEntryRow), sealed)
    await session.execute(update(AuditHead).where(AuditHead.id == 1).values(seq=head.seq, hash=head.hash))
    return tuple(heads)


async def entries(session: ReadSession, *, after: int = 0, limit: int | None = None) -> AsyncIterator[AuditEntry]:
    """Yield the entries with seq > `after`, in order, at most `limit`."""
    columns = [getattr(AuditEntryRow, name) for name in _FIELDS]
    rows = await session.stream(
        select(*columns).where(AuditEntryRow.seq > after).order_by(AuditEntryRow.seq).limit(limit),
        execution_options={"yield_per": 500},
    )
    async for row in rows:
        yield AuditEntry(*row)


async def verify_chain(
    session: ReadSession, anchored: Head | None
) -> tuple[AuditReport, Mapping[str, tuple[int, str]]]:
    """Walk the whole chain. Return the report and, for every row it speaks of, the last (seq, digest)."""
    rows: dict[str, tuple[int, str]] = {}
    head = Head()
    anchor_met = anchored is not None and anchored.seq == 0
    async for entry in entries(session):
        why = _broken(entry, head)
        if why:
            return AuditReport(ok=False, entries=head.seq, first_bad_seq=min(entry.seq, head.seq + 1), why=why), rows
        head = Head(entry.seq, entry.hash)
        anchor_met = anchor_met or head == anchored
        rows.update({name: (entry.seq, digest) for name, digest in _digests(entry.payload).items()})
    return _judge_end(head, await last_head(session), anchored, anchor_met=anchor_met), rows


async def is_empty(session: ReadSession) -> bool:
    """Say whether nothing was ever entered."""
    kept = await last_head(session)
    return kept is None or kept.seq == 0


async def last_head(session: ReadSession) -> Head | None:
    """Return the end of the chain as its head row names it."""
    row = (await session.execute(select(AuditHead.seq, AuditHead.hash).where(AuditHead.id == 1))).first()
    return None if row is None else Head(row[0], row[1])


def _broken(entry: AuditEntry, before: Head) -> str:
    if entry.seq != before.seq + 1:
        return f"entry {before.seq + 1} is missing"
    if entry.prev_hash != before.hash:
        return f"entry {entry.seq} does not follow from the entry before it"
    if not entry.sealed():
        return f"entry {entry.seq} was changed: its hash does not fit its content"
    return ""


def _judge_end(head: Head, kept: Head | None, anchored: Head | None, *, anchor_met: bool) -> AuditReport:
    def bad(why: str, seq: int | None = None) -> AuditReport:
        return AuditReport(ok=False, entries=head.seq, first_bad_seq=seq, why=why)

    report = AuditReport(ok=True, entries=head.seq)
    if anchored is not None and anchored.seq > head.seq:
        report = bad(f"entries were cut off at the end: {anchored.seq} were anchored", head.seq + 1)
    elif kept is None or kept.seq > head.seq:
        report = bad("entries were cut off at the end: the head row names a later one", head.seq + 1)
    elif kept != head:
        report = bad("entries were added past the store: the head row does not name the last one", kept.seq + 1)
    elif anchored is None and head.seq > 0:
        report = bad("the anchor file is missing, so a cut at the end cannot be ruled out")
    elif anchored is not None and not anchor_met:
        report = bad(f"entry {anchored.seq} is not the one that was anchored: the chain was rewritten", anchored.seq)
    return report


def _digests(payload: str) -> Mapping[str, str]:
    try:
        found = json.loads(payload)["rows"]
        return {str(name): str(digest) for name, digest in found.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}  # only a rewritten chain has such a payload, and that does not match its anchor


def _seal(entry: AuditEntry) -> str | None:
    body = [getattr(entry, name) for name in _FIELDS if name != "hash"]
    # Raw SQL can put any type into a column: what is no text or number has no seal, so it never fits.
    if not all(isinstance(value, str | int) for value in body):
        return None
    return hashlib.sha256(json.dumps(body, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest()


def _identity(home: Path, url: URL) -> str:
    """Name the database so that a moved home still finds its anchor."""
    if url.get_backend_name() == "sqlite" and url.database:
        path = Path(url.database).absolute()
        return f"home:{path.relative_to(home.absolute())}" if path.is_relative_to(home.absolute()) else f"file:{path}"
    return f"{url.get_backend_name()}://{url.host}:{url.port}/{url.database}"
