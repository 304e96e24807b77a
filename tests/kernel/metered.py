"""A service that is measured; small, as several processes of it are started."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from fastapi import APIRouter, FastAPI, WebSocket
from fastapi.responses import StreamingResponse

from vertice.adaptive.metrics import HitlMetrics
from vertice.kernel.http.handlers import install
from vertice.kernel.metrics import HttpMetrics, Metrics, router

__all__ = ["service"]


async def no_reviews() -> int:
    return 0


def service(active_reviews: Callable[[], Awaitable[int]] = no_reviews) -> tuple[FastAPI, HitlMetrics]:
    metrics = Metrics()
    figures = HitlMetrics(metrics, active_reviews=active_reviews)
    app = FastAPI()
    install(app)
    app.add_middleware(HttpMetrics, requests=figures.http_requests, seconds=figures.http_seconds)
    app.include_router(router(metrics))
    reviews = APIRouter(prefix="/reviews")

    @reviews.get("/{code}")
    async def review(code: str) -> str:
        return code

    @reviews.get("/{code}/broken")
    async def broken(code: str) -> str:
        raise RuntimeError(code)

    @reviews.get("/{code}/stream")
    async def stream(code: str) -> StreamingResponse:
        async def slowly():
            yield b"a"
            await asyncio.sleep(0.3)
            yield b"b"

        return StreamingResponse(slowly())

    @reviews.websocket("/ws")
    async def live(socket: WebSocket) -> None:
        await socket.accept()
        figures.connected()
        with suppress(Exception):
            await socket.receive_text()
        figures.disconnected()

    app.include_router(reviews, prefix="/hitl")
    return app, figures
