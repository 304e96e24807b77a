"""Notices to real servers on this machine, through Apprise."""

import email
import email.policy
import logging
import socket
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.hook import Hook
from vertice.kernel.errors import InputError, UnfinishedError
from vertice.kernel.notify import Level, Notice
from vertice.kernel.notify_apprise import open_notifiers

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise, as it is loaded

SECRET = "hush-hush-0123456789"
NOTICE = Notice("key", "Critical: CVE-2020-14343", "One line\nanother — “ü” <b>&amp;</b>", Level.warning)


@pytest.fixture
def hook() -> Iterator[Callable[..., Hook]]:
    made: list[Hook] = []

    def make(status: int = 200, **more: Any) -> Hook:
        made.append(Hook(status, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


class Mailbox:
    """Keeps the mails that come in."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.recipients: list[str] = []

    async def handle_DATA(  # noqa: N802 -- aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        self.recipients += envelope.rcpt_tos
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, port
    controller.stop()


async def test_a_web_hook_gets_title_and_body_as_they_are(hook):
    here = hook()
    (notifier,) = open_notifiers([f"json://{here.address}/{SECRET}"])
    await notifier.send(NOTICE)
    ((path, sent),) = here.requests
    assert path.rstrip("/") == f"/{SECRET}"
    assert (sent["title"], sent["message"], sent["type"]) == (NOTICE.title, NOTICE.body, "warning")


async def test_a_mail_shows_the_text_and_no_markup_of_it(mailbox):
    box, port = mailbox
    (notifier,) = open_notifiers([f"mailto://127.0.0.1:{port}?from=vertice@example.org&to=lead@example.org"])
    await notifier.send(NOTICE)
    (mail,) = box.mails
    assert box.recipients == ["lead@example.org"]
    assert mail["Subject"] == NOTICE.title
    plain = mail.get_body(("plain",))
    assert plain is None or "another — “ü” <b>&amp;</b>" in plain.get_content()
    html = mail.get_body(("html",))
    assert html is None or "&lt;b&gt;" in html.get_content()
    assert plain or html


async def test_a_hostile_title_adds_no_header_to_a_mail(mailbox):
    box, port = mailbox
    (notifier,) = open_notifiers([f"mailto://127.0.0.1:{port}?from=vertice@example.org&to=lead@example.org"])
    await notifier.send(Notice("key", "Hello\r\nBcc: x@example.org", "text"))
    (mail,) = box.mails
    assert mail["Bcc"] is None
    assert box.recipients == ["lead@example.org"]


@pytest.mark.parametrize(
    ("status", "reason"), [(401, "error=401"), (404, "error=404"), (500, "error=500"), (302, "error=302")]
)
async def test_a_refusal_is_told_without_the_url(hook, status, reason):
    here = hook(status, location="http://127.0.0.1:9/elsewhere")
    (notifier,) = open_notifiers([f"json://someone:{SECRET}@{here.address}/token-{SECRET}"])
    with pytest.raises(UnfinishedError, match=reason) as caught:
        await notifier.send(NOTICE)
    assert SECRET not in str(caught.value)
    assert len(here.requests) == 1


async def test_nobody_there_is_told_without_the_url(hook):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (notifier,) = open_notifiers([f"json://someone:{SECRET}@127.0.0.1:{port}/token-{SECRET}"])
    with pytest.raises(UnfinishedError, match="JSON was not told") as caught:
        await notifier.send(NOTICE)
    assert SECRET not in str(caught.value)


async def test_a_place_that_does_not_answer_is_given_up_in_time(hook):
    slow = hook(delay=5.0)
    (notifier,) = open_notifiers([f"json://{slow.address}/"], seconds=0.2)
    with pytest.raises(UnfinishedError, match=r"no answer within 0\.2 seconds"):
        await notifier.send(NOTICE)


@pytest.fixture
def log() -> Iterator[StringIO]:
    """What the root logger writes at its most talkative. (caplog listens to loggers that keep things to themselves.)"""
    stream, root = StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(stream), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.setLevel(level)
    root.removeHandler(handler)


async def test_nothing_of_the_url_is_logged_even_when_everything_is(hook, log):
    logging.getLogger("test").debug("it listens")
    for status in (200, 500):
        (notifier,) = open_notifiers([f"json://someone:{SECRET}@{hook(status).address}/token-{SECRET}?token={SECRET}"])
        try:
            await notifier.send(NOTICE)
        except UnfinishedError:
            assert status == 500
        assert SECRET not in repr(notifier) + notifier.name + notifier.id
    assert "it listens" in log.getvalue()
    assert SECRET not in log.getvalue()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"nosuch://{SECRET}", "URL number 2 (nosuch://…) is not one"),
        (f"slack://{SECRET}", "URL number 2 (slack://…) is not one"),
        (f"not a url {SECRET}", "URL number 2 is not one"),
        ("", "URL number 2 is not one"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_at_the_start_unshown(url, shown):
    with pytest.raises(InputError) as caught:
        open_notifiers(["json://127.0.0.1/", url])
    assert shown in caught.value.what
    assert SECRET not in str(caught.value)


def test_each_place_has_a_name_of_its_own_that_stays(hook):
    urls = [f"json://127.0.0.1/{SECRET}", f"json://127.0.0.1/{SECRET}/2", f"json://127.0.0.1/{SECRET}"]
    first, second = open_notifiers(urls)
    assert first.id != second.id
    assert [one.id for one in open_notifiers(urls)] == [first.id, second.id]
