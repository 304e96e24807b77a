"""The supplier is told of every new order."""

import hashlib
import hmac
import json

import aiohttp


def signature(body: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


async def notify(url: str, event: dict[str, object], secret: str) -> bool:
    """POST the event, signed; say whether the supplier took it."""
    body = json.dumps(event, sort_keys=True).encode()
    headers = {"content-type": "application/json", "x-signature": signature(body, secret)}
    timeout = aiohttp.ClientTimeout(total=5)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session:
            async with session.post(url, data=body, headers=headers) as answer:
                return answer.status < 300
    except aiohttp.ClientError:
        return False
