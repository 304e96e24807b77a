"""Messages as CloudEvents 1.0, JSON event format in structured mode: how they are written, and read from strangers.

A message that is read is a pydantic model derived from `CloudEvent`, so that the AsyncAPI document and the check of
what comes in are one and the same.
"""

import json
import re
from datetime import UTC
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
    model_validator,
)

from vertice.kernel.bus.message import Message, MessageRefusedError
from vertice.kernel.codec import canonical
from vertice.kernel.text import printable

__all__ = ["CONTENT_TYPE", "CloudEvent", "Line", "Payload", "Prose", "read", "write"]

CONTENT_TYPE = "application/cloudevents+json"

_NO_CONTROLS = r"^[^\x00-\x1f\x7f-\x9f]*$"
_TRACEPARENT = r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"
_EXTENSION = re.compile(r"[a-z0-9]{1,20}")
_INT32 = 2**31

Line = Annotated[str, StringConstraints(pattern=_NO_CONTROLS, max_length=2000)]
"""Text of one line: no control characters."""
Prose = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*$", max_length=10_000)]
"""Text of several lines: of the control characters, only tab and line feed."""


class Payload(BaseModel):
    """Base of what a message carries. Fields that a newer sender adds are passed over."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", allow_inf_nan=False, use_attribute_docstrings=True
    )


class CloudEvent(BaseModel):
    """The envelope. A message of ours derives from it and narrows `type` and `data`."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="allow", allow_inf_nan=False, use_attribute_docstrings=True
    )

    __pydantic_extra__: dict[str, JsonValue]

    specversion: Literal["1.0"]
    id: Annotated[Line, Field(min_length=1, max_length=200)]
    """With `source`, names the message: the same pair again is the same message again."""
    source: Annotated[str, StringConstraints(pattern=r"^[!-~]+$", max_length=300)]
    """URI-reference of who sends."""
    type: Annotated[Line, Field(min_length=1, max_length=100)]
    subject: Annotated[Line, Field(min_length=1, max_length=200)] | None = None
    time: AwareDatetime | None = None
    datacontenttype: Literal["application/json"] | None = None
    dataschema: Annotated[Line, Field(min_length=1, max_length=500)] | None = None
    traceparent: Annotated[str, StringConstraints(pattern=_TRACEPARENT)] | None = None
    """W3C trace context of what the message comes from (CloudEvents' distributed tracing extension)."""

    @model_validator(mode="after")
    def _extensions_are_simple(self) -> Self:
        for name, value in (self.model_extra or {}).items():
            if not _EXTENSION.fullmatch(name):
                raise ValueError("the name of an attribute has 1 to 20 lower-case letters and digits")
            if isinstance(value, int) and not -_INT32 <= value < _INT32:
                raise ValueError(f"the attribute {name} is beyond 32 bits")
            if not isinstance(value, bool | int | str) or (
                isinstance(value, str) and not re.match(_NO_CONTROLS, value)
            ):
                raise ValueError(f"the attribute {name} is neither text nor an integer nor true or false")
        return self


Event = TypeVar("Event", bound=CloudEvent)


def read(kind: type[Event], body: bytes, *, limit: int) -> Event:
    """Return the message in `body`. Raises MessageRefusedError that names the first thing wrong with it."""
    if len(body) > limit:
        raise MessageRefusedError(f"is larger than {limit:,} bytes", where="message")
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "message"
        said = first["msg"].removeprefix("Value error, ")
        raise MessageRefusedError(printable(said, limit=300), where=printable(where, limit=200)) from error


def write(message: Message) -> bytes:
    """Return the message as JSON; an empty subject or traceparent is left out."""
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": message.id,
        "source": message.source,
        "type": message.type,
        "time": message.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": json.loads(message.data),
    }
    optional = {"subject": message.subject, "traceparent": message.traceparent}
    return canonical(attributes | {name: value for name, value in optional.items() if value})
