"""Every error of an app becomes a problem document, whatever raised it."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from vertice.kernel.errors import VerticeError
from vertice.kernel.http.openapi import amend
from vertice.kernel.http.problem import PAGE, HttpError, Problem, problem, refuse, without_folders
from vertice.kernel.http.route import methods_of
from vertice.kernel.logging import get_logger
from vertice.kernel.text import printable

__all__ = ["install"]

_UNEXPECTED = "something went wrong here"
_UNEXPECTED_TODO = "Try again; if it stays, give the operators this problem's instance."
_DETAILS = {404: "there is nothing at this address", 405: "this address does not take this method"}
_NOT_VALID = "the request holds values that cannot be used"
_MAX_LOC = 16
_NO_JSON = "Send JSON, with Content-Type: application/json"
_NOT_ALLOWED = "This value is not allowed here"
_TELLING = 4
"""Characters from which on a text that was given must not stand in a message."""


def install(
    app: FastAPI,
    *,
    hide: Callable[[str], str] = without_folders,
    page: Callable[[Scope, Mapping[str, Any]], Response | None] | None = None,
) -> None:
    """Answer every error of `app` with a problem document, and describe it so in the OpenAPI document.

    Call it before any middleware is added, so that the others see its answers. `hide` takes out of an error's texts
    what a client must not learn. `page` shows a problem to a person: it gets the request's scope and the document, and
    returns None for an address that people have no business at; whoever does not prefer HTML gets the document.

    Of an error with a status of 500 or more only the status and code are told, the rest is logged, unless it is an
    HttpError.
    """

    async def handle(connection: Any, error: Exception) -> Any:  # Starlette gives a Request or a WebSocket
        answer = _answer(error, hide)
        if not isinstance(connection, WebSocket):
            if answer.status_code == 405 and (methods := methods_of(connection.scope)):
                answer.headers["Allow"] = ", ".join(methods)
            return answer
        if connection.application_state is WebSocketState.CONNECTING:
            await refuse(answer, connection.scope, connection.receive, connection.send)
        elif connection.application_state is WebSocketState.CONNECTED:
            await connection.close(1008 if answer.status_code < 500 else 1011)
        return None

    setattr(app.state, PAGE, page)
    for kind in (VerticeError, HTTPException, RequestValidationError, WebSocketRequestValidationError):
        app.add_exception_handler(kind, handle)
    app.add_exception_handler(Exception, handle)  # raised by a middleware: the last resort
    app.add_middleware(_CatchAll, hide=hide)
    amend(app, _describe)


class _CatchAll:
    """Answers what no handler took. Stands below the other middlewares: theirs are the id, the headers and the log."""

    def __init__(self, app: ASGIApp, *, hide: Callable[[str], str]) -> None:
        self._app = app
        self._hide = hide

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        last = ""

        async def watched(message: Message) -> None:
            nonlocal last
            last = message["type"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except (ClientDisconnect, WebSocketDisconnect):
            return
        except Exception as error:
            if scope["type"] == "lifespan":
                raise
            answer = _answer(error, self._hide)
            if not last:
                await refuse(answer, scope, receive, send)
            elif scope["type"] == "http":
                raise  # half an answer was sent: the server cuts the connection, so that nobody takes it for whole
            elif last != "websocket.close":
                await send({"type": "websocket.close", "code": 1011, "reason": _UNEXPECTED})


def _answer(error: Exception, hide: Callable[[str], str]) -> Response:
    match error:
        case HttpError():
            return _told(error, hide, error.headers)
        case VerticeError() if error.http_status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return _told(error, hide, {"WWW-Authenticate": "Bearer"} if error.http_status == 401 else {})
        case VerticeError():
            get_logger(__name__).error("request failed", **error.to_dict())
            return problem(error.http_status, _UNEXPECTED, code=error.code, todo=_UNEXPECTED_TODO)
        case RequestValidationError() | WebSocketRequestValidationError():
            return _not_valid(error.errors())
        case HTTPException():
            return _http(error)
        case _:
            get_logger(__name__).exception("request failed", exc_info=error)
            return problem(500, _UNEXPECTED, todo=_UNEXPECTED_TODO)


def _told(error: VerticeError, hide: Callable[[str], str], headers: dict[str, str]) -> Response:
    return problem(
        error.http_status,
        hide(error.what),
        code=error.code,
        where=hide(error.where),
        todo=hide(error.todo),
        headers=headers,
    )


def _http(error: HTTPException) -> Response:
    status = error.status_code
    if status < 400:
        return Response(status_code=status, headers=error.headers)
    if status >= 500:
        return problem(status, _UNEXPECTED, todo=_UNEXPECTED_TODO, headers=error.headers)
    said: object = error.detail  # FastAPI's may be anything
    return problem(status, _DETAILS.get(status) or (said if isinstance(said, str) else ""), headers=error.headers)


def _not_valid(errors: Sequence[Any]) -> Response:
    first = errors[0]
    if first["type"] == "json_invalid":
        return problem(
            400,
            f"the body is not JSON: {first['ctx']['error']}",
            code="malformed-json",
            where=f"character {first['loc'][1]}",
        )
    found = [{"loc": _loc(one["loc"]), "msg": _msg(one)} for one in errors]
    where = ".".join(str(part) for part in found[0]["loc"])
    return problem(422, _NOT_VALID, where=where, todo=str(found[0]["msg"]), errors=found)


def _loc(parts: Sequence[str | int]) -> list[str | int]:
    return [part if isinstance(part, int) else printable(str(part), limit=100) for part in parts[:_MAX_LOC]]


def _msg(error: Any) -> str:
    given = error["input"]
    if isinstance(given, bytes):  # nobody read it: its Content-Type says that it is something else
        return _NO_JSON
    echoed = isinstance(given, str) and len(given) >= _TELLING and given in error["msg"]
    # Pydantic's own messages do not repeat what was given, but for this one.
    if echoed or error["type"] == "union_tag_invalid":
        return _NOT_ALLOWED
    return printable(error["msg"].removeprefix("Value error, "), limit=300)


def _describe(document: dict[str, Any]) -> None:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    model = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(model.pop("$defs"))
    schemas["Problem"] = model
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    # FastAPI adds its own 422 to every route that takes something.
    ours = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path in document.get("paths", {}).values():
        for operation in path.values():
            theirs = operation.get("responses", {}).get("422")
            if theirs is not None:
                theirs["content"] = ours
