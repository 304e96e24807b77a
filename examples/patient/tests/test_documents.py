from datetime import date

import pytest

from orders.documents import ArchivedOrder, read_archive, read_orders, write_archive

PARTNER = """
- customer: joão@example.org
  lines:
    - {sku: A-1, quantity: 3, price: 2.50}
- customer: li@example.org
  note: urgent
  lines:
    - {sku: B-7, quantity: 1, price: 10}
"""


def test_a_partners_file_is_imported(client):
    answer = client.post("/orders/import", content=PARTNER.encode())
    assert (answer.status_code, answer.json()) == (201, [1, 2])
    assert client.get("/orders/1").json()["total"] == "7.50"


@pytest.mark.parametrize("text", ["- {customer: x}", "[1, 2", "just words", ""])
def test_what_is_no_list_of_orders_is_refused(client, text):
    assert client.post("/orders/import", content=text.encode()).status_code == 422


def test_one_order_without_a_list():
    (order,) = read_orders("{customer: x, lines: [{sku: A, quantity: 1, price: 1}]}")
    assert order.customer == "x"


def test_the_archive_can_be_read_back():
    orders = [
        ArchivedOrder(1, "joão@example.org", date(2023, 11, 20), (("A-1", 3), ("B-7", 1))),
        ArchivedOrder(2, "li@example.org", date(2023, 11, 21), ()),
    ]
    assert read_archive(write_archive(orders)) == orders
