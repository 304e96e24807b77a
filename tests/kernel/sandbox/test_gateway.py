"""The way to the package index, and the ways that are none."""

import gc
import http.server
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from vertice.kernel.errors import InputError
from vertice.kernel.sandbox.gateway import PYPI, Gateway, Refused, endpoint_of, request_target
from vertice.kernel.sandbox.model import Ended, Endpoint, Network, Outcome

Run = Callable[..., Outcome]
ASK = """
import os, socket, sys
def ask(request):
    with socket.create_connection(("127.0.0.1", 3128), 5) as proxy:
        proxy.settimeout(10)
        proxy.sendall(request.encode())
        answer = b""
        while True:
            data = proxy.recv(65536)
            if not data: break
            answer += data
            if request.startswith("CONNECT"): break
        return answer.decode(errors="replace")
"""


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"path {self.path} host {self.headers['Host']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def index() -> Iterator[int]:
    """Return the port of a web server on the host's loopback."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.index
def test_a_job_can_fetch_the_index_and_check_its_certificate(run_python: Run) -> None:
    source = "import urllib.request as u\nprint(u.urlopen('https://pypi.org/simple/idna/', timeout=30).read()[:15])"
    outcome = run_python(source, network=Network.package_index)
    assert (outcome.ended, outcome.returncode) == (Ended.exited, 0), outcome.stderr
    assert b"DOCTYPE" in outcome.stdout


@pytest.mark.parametrize(
    "target",
    [
        *("example.com:443", "pypi.org:80", "pypi.org:22", "files.pythonhosted.org:8443", "1.1.1.1:443"),
        *("127.0.0.1:443", "localhost:443", "169.254.169.254:80", "[::1]:443", "pypi.org.example.com:443", "x"),
    ],
)
def test_other_places_are_refused(run_python: Run, target: str) -> None:
    source = f"{ASK}\nprint(ask('CONNECT {target} HTTP/1.1\\r\\nHost: {target}\\r\\n\\r\\n').splitlines()[0])"
    outcome = run_python(source, network=Network.package_index)
    assert outcome.stdout == b"HTTP/1.1 403 Forbidden\n", outcome.stderr


@pytest.mark.parametrize(
    "request_line",
    ["GET / HTTP/1.1", "GET ftp://pypi.org/ HTTP/1.1", "GET https://pypi.org/ HTTP/1.1", "\\x00\\xff", "GET http://["],
)
def test_what_is_no_proxy_request_is_refused(run_python: Run, request_line: str) -> None:
    source = f"{ASK}\nprint(ask('{request_line}\\r\\n\\r\\n').splitlines()[0])"
    outcome = run_python(source, network=Network.package_index)
    assert outcome.stdout == b"HTTP/1.1 403 Forbidden\n", outcome.stderr


def test_only_the_proxy_leads_out(run_python: Run, index: int) -> None:
    """With the way to the index open, everything else is as closed as without."""
    source = f"""
import socket
for address in (("1.1.1.1", 443), ("127.0.0.1", {index})):
    try:
        socket.create_connection(address, 2)
        print("connected")
    except OSError as error:
        print(type(error).__name__)
"""
    outcome = run_python(source, network=Network.package_index)
    assert outcome.stdout.split() == [b"OSError", b"ConnectionRefusedError"]


def test_a_configured_index_on_loopback_is_reached(run_python: Run, index: int) -> None:
    """Only when the person configured it; over http, with the path of the request and nothing of the proxy's."""
    url = f"http://127.0.0.1:{index}/simple/x/?a=b"
    source = (
        f"{ASK}\nprint(ask('GET {url} HTTP/1.1\\r\\nHost: 127.0.0.1:{index}\\r\\nConnection: keep-alive\\r\\n\\r\\n'))"
    )
    outcome = run_python(source, network=Network.package_index, endpoints=(endpoint_of(url, private=True),))
    assert f"path /simple/x/?a=b host 127.0.0.1:{index}" in outcome.stdout.decode()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_index_that_a_file_names_is_not_reached_at_a_private_address(run_python: Run, index: int, host: str) -> None:
    url = f"http://{host}:{index}/simple/"
    source = f"{ASK}\nprint(ask('GET {url} HTTP/1.1\\r\\n\\r\\n'))"
    outcome = run_python(source, network=Network.package_index, endpoints=(endpoint_of(url),))
    assert b"403 Forbidden" in outcome.stdout
    assert b"a private address" in outcome.stdout


def test_a_dead_index_is_a_bad_gateway(run_python: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    source = f"{ASK}\nprint(ask('CONNECT 127.0.0.1:{port} HTTP/1.1\\r\\n\\r\\n').splitlines()[0])"
    outcome = run_python(source, network=Network.package_index, endpoints=(Endpoint("127.0.0.1", port, private=True),))
    assert outcome.stdout == b"HTTP/1.1 502 Bad Gateway\n"
    assert outcome.unreached == "127.0.0.1: Connection refused"


def test_connections_left_open_do_not_hold_the_job(run_python: Run, index: int) -> None:
    source = f"""
import socket, time
kept = [socket.create_connection(("127.0.0.1", 3128)) for _ in range(50)]
for one in kept[:25]:
    one.sendall(b"CONNECT 127.0.0.1:{index} HTTP/1.1\\r\\n\\r\\n")
    one.recv(100)
print("done")
"""
    threads = threading.active_count()
    started = time.monotonic()
    outcome = run_python(source, network=Network.package_index, endpoints=(Endpoint("127.0.0.1", index, private=True),))
    assert outcome.stdout == b"done\n"
    assert time.monotonic() - started < 5
    until = time.monotonic() + 5
    while threading.active_count() > threads and time.monotonic() < until:
        time.sleep(0.01)
    assert threading.active_count() <= threads


def test_who_has_asked_all_and_waits_is_not_forgotten(run_python: Run) -> None:
    """The event loop knows nothing of such a client any more: a collection of garbage took its answer away."""
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]

    def answer() -> None:
        connection, _ = server.accept()
        with connection:
            while connection.recv(100):
                pass
            for _ in range(5):
                gc.collect()
                time.sleep(0.02)
            connection.sendall(b"late")

    source = f"""
import socket
with socket.create_connection(("127.0.0.1", 3128)) as proxy:
    proxy.sendall(b"CONNECT 127.0.0.1:{port} HTTP/1.1\\r\\n\\r\\n")
    proxy.recv(100)
    proxy.shutdown(socket.SHUT_WR)
    print(proxy.recv(100))
"""
    with server:
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        endpoints = (Endpoint("127.0.0.1", port, private=True),)
        outcome = run_python(source, network=Network.package_index, endpoints=endpoints)
        thread.join(10)
    assert outcome.stdout == b"b'late'\n", outcome.stderr


def test_a_program_that_never_starts_leaves_no_thread() -> None:
    threads = threading.active_count()
    with Gateway(()) as gateway:
        gateway.serve()
    assert threading.active_count() == threads


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("https://pypi.org/simple", Endpoint("pypi.org", 443)),
        ("https://Mirror.Example:8443/simple/", Endpoint("mirror.example", 8443)),
        ("http://10.0.0.1/simple", Endpoint("10.0.0.1", 80)),
    ],
)
def test_endpoint_of_a_url(url: str, endpoint: Endpoint) -> None:
    assert endpoint_of(url) == endpoint


@pytest.mark.parametrize("url", ["ftp://x/simple", "/local/folder", "https://", "https://x:99999/", "https://[/"])
def test_what_is_no_index_url(url: str) -> None:
    with pytest.raises(InputError):
        endpoint_of(url)


def test_credentials_are_refused_and_not_repeated() -> None:
    with pytest.raises(InputError, match="not supported yet") as caught:
        endpoint_of("https://user:swordfish@mirror.example/simple")
    assert "swordfish" not in str(caught.value)


def test_request_target() -> None:
    head = b"GET http://mirror.example:8080/simple/?x=1 HTTP/1.1\r\nHost: mirror.example\r\nProxy-Connection: x\r\n\r\n"
    sent = b"GET /simple/?x=1 HTTP/1.1\r\nHost: mirror.example\r\nConnection: close\r\n\r\n"
    assert request_target(head) == ("GET", "mirror.example", 8080, sent)
    assert request_target(b"CONNECT pypi.org:443 HTTP/1.1\r\n\r\n") == ("CONNECT", "pypi.org", 443, b"")
    with pytest.raises(Refused):
        request_target(b"GET /x HTTP/1.1\r\n\r\n")


def test_the_default_is_pypi() -> None:
    assert [(endpoint.host, endpoint.port) for endpoint in PYPI] == [("pypi.org", 443), ("files.pythonhosted.org", 443)]
