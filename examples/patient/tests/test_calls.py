"""Calls to others, each against a server of its own on loopback."""

import asyncio
import json
import threading
from datetime import date
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs
from urllib.request import urlopen

import httpx
import pytest
from aiohttp import web
from waitress import create_server

from orders.accounting import post_turnover
from orders.database import Line, Order, open_database
from orders.monitor import create_monitor
from orders.rates import convert
from orders.suppliers import notify, signature


def test_the_supplier_is_told_and_can_check_who_told_it():
    told = []

    async def take(request):
        told.append((await request.read(), request.headers["x-signature"]))
        return web.Response(status=202)

    async def run():
        app = web.Application()
        app.router.add_post("/hook", take)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        taken = await notify(f"http://{host}:{port}/hook", {"order": 1}, "secret")
        missed = await notify(f"http://{host}:{port}/nowhere", {"order": 1}, "secret")
        await runner.cleanup()
        return taken, missed

    assert asyncio.run(run()) == (True, False)
    ((body, signed),) = told
    assert json.loads(body) == {"order": 1}
    assert signed == signature(body, "secret")


def test_a_supplier_that_is_away_is_no_error():
    assert asyncio.run(notify("http://127.0.0.1:9/hook", {"order": 1}, "secret")) is False


def test_rates():
    def answer(request):
        assert request.url.params["symbols"] == "BRL"
        return httpx.Response(200, json={"rates": {"BRL": 5.3333}})

    with httpx.Client(base_url="https://rates.example.org", transport=httpx.MockTransport(answer)) as client:
        assert convert(Decimal("10.00"), "BRL", client) == Decimal("53.33")


class Accountants(BaseHTTPRequestHandler):
    booked = []

    def log_message(self, *_):
        pass

    def answer(self, status, body, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(200, b"hello", Set_Cookie="seat=12")

    def do_POST(self):
        form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        if self.headers["cookie"] != "seat=12":
            self.answer(403, b"")
            return
        self.booked.append(form)
        self.answer(200, b'{"receipt": "R-1"}', Content_Type="application/json")


@pytest.fixture
def accountants():
    server = HTTPServer(("127.0.0.1", 0), Accountants)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_turnover_is_booked(accountants):
    orders = [Order(lines=[Line(quantity=2, cents=950)]), Order(lines=[Line(quantity=1, cents=99)])]
    assert post_turnover(accountants, str(date(2023, 11, 20)), orders) == "R-1"
    assert Accountants.booked == [{"day": ["2023-11-20"], "orders": ["2"], "cents": ["1999"]}]


def test_the_warehouses_screen(settings):
    sessions = open_database(settings.database)
    with sessions() as session:
        session.add(Order(customer="x", lines=[]))
        session.commit()
    server = create_server(create_monitor(sessions), host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    with urlopen(f"http://127.0.0.1:{server.effective_port}/", timeout=5) as answer:
        assert answer.read() == b"1 orders\n"
    server.close()
