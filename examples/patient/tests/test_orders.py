import pytest
from fastapi.testclient import TestClient


def test_create_show_and_list(client, order):
    made = client.post("/orders", json=order)
    assert made.status_code == 201
    assert made.json()["total"] == "19.99"
    assert client.get(f"/orders/{made.json()['id']}").json() == made.json()
    assert [one["id"] for one in client.get("/orders").json()] == [made.json()["id"]]
    assert client.get("/orders", params={"customer": "nobody"}).json() == []


@pytest.mark.parametrize(
    "change", [{"lines": []}, {"customer": ""}, {"lines": [{"sku": "A", "quantity": 0, "price": 1}]}]
)
def test_an_order_that_makes_no_sense_is_refused(client, order, change):
    assert client.post("/orders", json=order | change).status_code == 422


def test_a_missing_order(client):
    assert client.get("/orders/99").status_code == 404


def test_login(anonymous):
    assert anonymous.post("/login", data={"username": "ana", "password": "wrong"}).status_code == 401
    assert anonymous.get("/orders").status_code == 401
    assert anonymous.get("/orders", headers={"authorization": "Bearer forged"}).status_code == 401


def test_the_customer_gets_a_mail(app, client, order):
    client.post("/orders", json=order)
    (mail,) = app.state.outbox
    assert mail["To"] == "maria@example.org"
    assert "19.99" in mail.get_body("html").get_content()


def test_the_feed_tells_of_new_orders(app, token, order):
    with TestClient(app) as client, client.websocket_connect(f"/feed?token={token}") as socket:
        client.post("/orders", json=order, headers={"authorization": f"Bearer {token}"})
        assert socket.receive_json() == {"order": 1, "customer": "maria@example.org"}
