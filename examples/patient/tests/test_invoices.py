import pytest


@pytest.fixture
def order_id(client, order):
    return client.post("/orders", json=order).json()["id"]


def upload(client, order_id, name, content=b"%PDF-1.7"):
    return client.post(f"/orders/{order_id}/invoices", files={"file": (name, content, "application/pdf")})


def test_an_invoice_is_kept_and_listed(client, order_id, settings):
    answer = upload(client, order_id, "invoice 7.pdf")
    assert (answer.status_code, answer.json()) == (201, {"name": "invoice_7.pdf", "size": 8})
    assert client.get(f"/orders/{order_id}/invoices").json() == ["invoice_7.pdf"]
    assert (settings.invoices / str(order_id) / "invoice_7.pdf").read_bytes() == b"%PDF-1.7"


@pytest.mark.parametrize("name", ["../../../etc/x.pdf", "C:\\temp\\x.pdf", "..x.pdf"])
def test_an_invoice_never_leaves_its_folder(client, order_id, settings, name):
    assert upload(client, order_id, name).json()["name"] == "x.pdf"
    assert [path.name for path in settings.invoices.rglob("*.pdf")] == ["x.pdf"]


def test_other_files_are_refused(client, order_id):
    assert upload(client, order_id, "run.exe").status_code == 422


def test_an_order_that_is_not_there(client):
    assert upload(client, 99, "x.pdf").status_code == 404
