"""Who asks, when proxies of ours stand between: the client's address and scheme, and nobody's word taken for it."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.types import ASGIApp, Receive, Scope, Send

from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

__all__ = ["ProxyMiddleware", "TrustedProxies", "parse_address"]

_LONGEST = 64
"""Characters: more than any address with its port and zone needs."""
_HOPS = 32
"""Entries of X-Forwarded-For that are looked at."""
_SCHEMES = {b"http": "http", b"https": "https"}
_SOCKET_SCHEMES = {b"http": "ws", b"https": "wss", b"ws": "ws", b"wss": "wss"}


class TrustedProxies:
    """The networks whose machines say truly who asked them; raises InputError for what is no network."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = tuple(_network(text) for text in networks)
        self._judged = lru_cache(maxsize=4096)(self._judge)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def trusts(self, address: str) -> bool:
        """Whether `address` is one of ours."""
        return self._judged(address)

    def client(self, peer: str, forwarded: Sequence[str]) -> str:
        """Return who asked: the last address, read from the right, that is not a proxy of ours.

        `peer` is who opened the connection, `forwarded` the values of X-Forwarded-For. Each proxy adds at the right
        whom it was asked by, so what stands left of the first stranger is a claim of that stranger. An entry that is no
        address ends the way as well: who asked is then the proxy that wrote it.
        """
        client = peer
        if not self.trusts(peer):
            return client
        entries = ",".join(forwarded).rsplit(",", _HOPS)[-_HOPS:]
        for entry in reversed(entries):
            address = parse_address(entry)
            if address is None:
                break
            client = str(address)
            if not self.trusts(client):
                break
        return client

    def _judge(self, address: str) -> bool:
        found = parse_address(address)
        return found is not None and any(found in network for network in self._networks)


class ProxyMiddleware:
    """Puts the true client and scheme into the scope. The server's own reading of proxy headers must be off."""

    def __init__(self, app: ASGIApp, *, proxies: TrustedProxies) -> None:
        self._app = app
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        client = scope.get("client")
        if self._proxies and client and self._proxies.trusts(client[0]):
            forwarded: list[str] = []
            for name, value in scope["headers"]:
                if name == b"x-forwarded-for":
                    forwarded.append(value.decode("latin-1"))
                elif name == b"x-forwarded-proto":
                    schemes = _SOCKET_SCHEMES if scope["type"] == "websocket" else _SCHEMES
                    scope["scheme"] = schemes.get(value.rpartition(b",")[2].strip().lower(), scope["scheme"])
            if forwarded:
                scope["client"] = (self._proxies.client(client[0], forwarded), 0)
        await self._app(scope, receive, send)


@lru_cache(maxsize=4096)
def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address in `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]` or `[::1]:80`, None for anything else.

    An IPv4 address that is written as an IPv6 one is given as IPv4; a zone (`%eth0`) is dropped.
    """
    text = text.strip()
    if len(text) > _LONGEST:
        return None
    if text.startswith("["):
        text, closed, port = text[1:].partition("]")
        if not closed or (port and not _is_port(port)):
            return None
    elif text.count(":") == 1:
        text, _, port = text.partition(":")
        if not _is_port(f":{port}"):
            return None
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def _is_port(text: str) -> bool:
    return text.startswith(":") and text[1:].isascii() and text[1:].isdigit()


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text.strip())
    except ValueError as error:
        raise InputError(
            f"{printable(text, limit=100)} is not a network",
            where="TRUSTED_PROXIES",
            todo="Write networks as 10.0.0.0/8, with a comma between them.",
        ) from error
