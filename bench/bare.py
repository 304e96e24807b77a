"""The peer of the API: the same server and kind of session, one query, bytes that are known already. Nothing else."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Response
from sqlalchemy import text

from vertice.adaptive.api.server import serve_many
from vertice.kernel.database import Database
from vertice.kernel.garbage import settle
from vertice.kernel.settings import load_service

QUERIES = Path(os.environ["BENCH_QUERIES"])


def app() -> FastAPI:
    database = Database.open(os.environ["DATABASE_URL"])

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        settle()
        yield

    made = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    for name in ("list", "detail"):
        query, body = text((QUERIES / f"{name}.sql").read_text()), (QUERIES / f"{name}.json").read_bytes()
        _add(made, database, "/detail/{code}" if name == "detail" else "/list", query, body)
    return made


def _add(made: FastAPI, database: Database, path: str, query: object, body: bytes) -> None:
    async def answer(code: str = "") -> Response:
        async with database.look() as connection:
            (await connection.execute(query, {"code": code})).all()
        return Response(body, media_type="application/json")

    made.get(path)(answer)


if __name__ == "__main__":
    serve_many(load_service(), started=print, factory="bench.bare:app")
