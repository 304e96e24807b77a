"""The HTTP and WebSocket interface."""

import asyncio
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Annotated

from fastapi import (
    BackgroundTasks,
    Depends,
    FastAPI,
    File,
    Form,
    HTTPException,
    Request,
    UploadFile,
    WebSocket,
    WebSocketDisconnect,
)
from fastapi.security import OAuth2PasswordBearer
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from orders import auth, documents, invoices, mail, suppliers
from orders.database import Line, Order, open_database
from orders.feed import Feed
from orders.schemas import OrderIn, OrderOut, Token
from orders.settings import Settings

bearer = OAuth2PasswordBearer(tokenUrl="login")


def session(request: Request) -> Iterator[Session]:
    with request.app.state.sessions() as opened:
        yield opened


def user(request: Request, token: Annotated[str, Depends(bearer)]) -> str:
    name = auth.read_token(token, request.app.state.settings.secret)
    if name is None:
        raise HTTPException(401, "not logged in")
    return name


Database = Annotated[Session, Depends(session)]
User = Annotated[str, Depends(user)]


def create_app(settings: Settings, users: dict[str, tuple[str, str]] | None = None) -> FastAPI:
    app = FastAPI(title="Orders")
    app.state.settings = settings
    app.state.sessions = open_database(settings.database)
    app.state.feed = Feed()
    app.state.outbox = []

    @app.post("/login")
    def login(username: Annotated[str, Form()], password: Annotated[str, Form()]) -> Token:
        known = auth.check_password(username, password, users) if users else auth.check_password(username, password)
        if not known:
            raise HTTPException(401, "wrong name or password")
        return Token(access_token=auth.make_token(username, settings.secret))

    @app.post("/orders", status_code=201)
    async def create(order: OrderIn, database: Database, _: User, background: BackgroundTasks) -> OrderOut:
        made = _store(database, order)
        app.state.feed.publish({"order": made.id, "customer": made.customer})
        background.add_task(_confirm, app.state.outbox, made)
        if settings.supplier_url:
            event = {"order": made.id, "skus": [line.sku for line in made.lines]}
            background.add_task(suppliers.notify, settings.supplier_url, event, settings.secret)
        return OrderOut.model_validate(made)

    @app.get("/orders")
    def list_orders(database: Database, _: User, customer: str | None = None) -> list[OrderOut]:
        query = select(Order).order_by(Order.id)
        if customer is not None:
            query = query.where(Order.customer == customer)
        return [OrderOut.model_validate(order) for order in database.scalars(query)]

    @app.get("/orders/{order_id}")
    def show(order_id: int, database: Database, _: User) -> OrderOut:
        return OrderOut.model_validate(_find(database, order_id))

    @app.post("/orders/import", status_code=201)
    async def import_orders(request: Request, database: Database, _: User) -> list[int]:
        try:
            wanted = documents.read_orders((await request.body()).decode())
        except (ValidationError, ValueError) as error:
            raise HTTPException(422, f"the file is no list of orders: {error}") from error
        return [_store(database, order).id for order in wanted]

    @app.post("/orders/{order_id}/invoices", status_code=201)
    def upload(order_id: int, database: Database, _: User, file: Annotated[UploadFile, File()]) -> dict[str, str | int]:
        _find(database, order_id)
        try:
            name, size = invoices.keep(settings.invoices, order_id, file.filename or "", file.file)
        except invoices.InvoiceRefused as error:
            raise HTTPException(422, str(error)) from error
        return {"name": name, "size": size}

    @app.get("/orders/{order_id}/invoices")
    def list_invoices(order_id: int, database: Database, _: User) -> list[str]:
        _find(database, order_id)
        return invoices.names(settings.invoices, order_id)

    @app.websocket("/feed")
    async def feed(socket: WebSocket, token: str) -> None:
        if auth.read_token(token, settings.secret) is None:
            await socket.close(code=1008)
            return
        queue = app.state.feed.subscribe()
        await socket.accept()
        sending = asyncio.create_task(_send_all(queue, socket))
        try:
            while True:
                await socket.receive_text()
        except WebSocketDisconnect:
            pass
        finally:
            sending.cancel()
            app.state.feed.unsubscribe(queue)

    return app


async def _send_all(queue: asyncio.Queue[dict[str, object]], socket: WebSocket) -> None:
    while True:
        await socket.send_json(await queue.get())


def _store(database: Session, order: OrderIn) -> Order:
    lines = [Line(sku=line.sku, quantity=line.quantity, cents=int(line.price * 100)) for line in order.lines]
    made = Order(customer=order.customer, note=order.note, lines=lines)
    database.add(made)
    database.commit()
    return made


def _find(database: Session, order_id: int) -> Order:
    order = database.get(Order, order_id)
    if order is None:
        raise HTTPException(404, "no such order")
    return order


def _confirm(outbox: list[EmailMessage], order: Order) -> None:
    outbox.append(mail.confirmation(order))
