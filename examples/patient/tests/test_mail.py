from datetime import datetime

from orders.database import Line, Order
from orders.mail import confirmation, render_confirmation


def order(note=""):
    lines = [Line(sku="A-1", quantity=2, cents=950)]
    return Order(id=7, customer="maria@example.org", note=note, created_at=datetime(2023, 11, 20), lines=lines)


def test_the_table_has_every_line():
    page = render_confirmation(order())
    assert "<tr><td>A-1</td><td>2</td><td>9.50</td></tr>" in page
    assert "Total: 19.00" in page
    assert "blockquote" not in page


def test_addresses_in_the_note_become_links():
    page = render_confirmation(order("see https://example.org/map or maria@example.org"))
    assert '<a href="https://example.org/map" rel="nofollow noopener">https://example.org/map</a>' in page


def test_the_note_is_escaped():
    assert "<script>" not in render_confirmation(order("<script>alert(1)</script>"))


def test_the_mail_has_a_plain_part():
    mail = confirmation(order())
    assert mail["Subject"] == "Your order 7"
    assert "19.00 in all" in mail.get_body("plain").get_content()
