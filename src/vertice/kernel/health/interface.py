"""What a check is."""

from typing import Protocol

from vertice.kernel.health.model import Limits, Result

__all__ = ["Check"]


class Check(Protocol):
    """Looks at one part of the service. Whoever runs it keeps its time limit, and catches what it raises.

    A check keeps a connection of its own: one that waited for the service's pool would call a busy service sick, and
    one that connected anew each time would call a server sick that has no room for more connections.
    """

    @property
    def name(self) -> str:
        """What the component is called in the answer."""

    @property
    def critical(self) -> bool:
        """True when the service does not work at all without it."""

    @property
    def limits(self) -> Limits:
        """Its time limit and its latency threshold."""

    async def run(self) -> Result:
        """Return what was found; `latency_ms` among the details is held against the threshold."""

    async def close(self) -> None:
        """Give the connection back."""
