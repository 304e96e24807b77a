"""The AsyncAPI document. FastStream makes it from the subscribers that run and from the publishers' forms; the
WebSocket is added to it.
"""

import asyncio
import json
import sys
from typing import Any

from faststream import AsyncAPI
from pydantic.json_schema import models_json_schema

from vertice.adaptive.messages import live
from vertice.adaptive.messages.queues import MESSAGES, TOPOLOGY
from vertice.kernel.bus.cloudevents import CONTENT_TYPE
from vertice.kernel.bus.consumer import subscribe
from vertice.kernel.bus.rabbit import Address, new_broker
from vertice.kernel.bus.topology import Queue

__all__ = ["asyncapi_document"]

_ABOUT = """\
Every message is a CloudEvent 1.0 in structured mode, JSON. The same `source` and `id` again is the same message again:
it may arrive more than once, and takes effect once. The messages of one queue are in the order of what they tell of.
The AMQP correlation id is that of the request everything began with.

A queue has one direction. Those that Vértice receives from refuse a message when they are full (a negative confirm);
those that it sends to drop their oldest into the dead letters. Each queue has a dead-letter queue, its name with `.dlq`
added; the header `dead-letter-reason` says why a message is there. `vertice queues` lists, shows and replays them.
"""


_SOCKET = "live"
"""Name of the WebSocket's channel."""


def asyncapi_document() -> str:
    """Return the AsyncAPI 3 document as JSON text; the same code gives the same text."""
    broker = new_broker(Address.parse("amqp://localhost:5672/"))

    async def ignore(_event: object) -> None: ...

    for queue in TOPOLOGY.queues:
        kind = MESSAGES[queue.name]
        if queue.inbound:
            subscribe(broker, TOPOLOGY, queue, kind, ignore, asyncio.Event())
        else:
            form = TOPOLOGY.declared(queue)
            broker.publisher(form, title=queue.name, description=kind.__doc__, schema=kind, persist=True)
    made = AsyncAPI(
        broker,
        title="Vértice, Adaptive Immune System",
        version="1.0.0",
        description=_ABOUT,
        license={"name": "Apache-2.0"},
    )
    document: dict[str, Any] = json.loads(made.to_specification().to_json())
    document["defaultContentType"] = CONTENT_TYPE
    for queue in TOPOLOGY.queues:
        channel = document["channels"][queue.name]
        channel["description"] = f"{channel['description']} {_bounds(queue)}"
    _add_socket(document)
    # FastStream gives publishers in the order of a set.
    return json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _add_socket(document: dict[str, Any]) -> None:
    """Add `/hitl/ws`: one channel, with what a client may send and what it gets."""
    kinds = (*live.TAKEN, *live.SAID)
    _, schemas = models_json_schema(
        [(kind, "validation" if kind in live.TAKEN else "serialization") for kind in kinds],
        ref_template="#/components/schemas/{model}",
    )
    document["components"]["schemas"] |= schemas["$defs"]
    document["components"]["messages"] |= {
        f"{_SOCKET}:{kind.__name__}": {
            "title": kind.__name__,
            "summary": kind.__doc__,
            "contentType": "application/json",
            "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
        }
        for kind in kinds
    }
    document["servers"]["service"] = {"host": "localhost:8003", "protocol": "ws"}
    document["channels"][_SOCKET] = {
        "address": "/hitl/ws",
        "description": "Live events for who subscribes. JSON texts; one that a client sends has at most 16 KiB.",
        "servers": [{"$ref": "#/servers/service"}],
        "messages": {kind.__name__: {"$ref": f"#/components/messages/{_SOCKET}:{kind.__name__}"} for kind in kinds},
    }
    for action, told in (("receive", live.TAKEN), ("send", live.SAID)):
        document["operations"][f"{_SOCKET}.{action}"] = {
            "action": action,
            "channel": {"$ref": f"#/channels/{_SOCKET}"},
            "messages": [{"$ref": f"#/channels/{_SOCKET}/messages/{kind.__name__}"} for kind in told],
        }


def _bounds(queue: Queue) -> str:
    size, kept = queue.message_bytes // 1024, queue.max_bytes // 1024**2
    return f"A message has at most {size} KiB, the queue at most {queue.max_messages:,} messages or {kept} MiB."


if __name__ == "__main__":
    sys.stdout.write(asyncapi_document())
