import pytest
from fastapi.testclient import TestClient

from orders.app import create_app
from orders.auth import password_digest
from orders.settings import Settings


@pytest.fixture
def settings(tmp_path):
    return Settings(secret="test", database=f"sqlite:///{tmp_path}/orders.db", invoices=tmp_path / "invoices")


@pytest.fixture
def app(settings):
    return create_app(settings, users={"ana": ("s", password_digest("s", "pa55"))})


@pytest.fixture
def anonymous(app):
    return TestClient(app)


@pytest.fixture
def token(anonymous):
    answer = anonymous.post("/login", data={"username": "ana", "password": "pa55"})
    return answer.json()["access_token"]


@pytest.fixture
def client(app, token):
    return TestClient(app, headers={"authorization": f"Bearer {token}"})


@pytest.fixture
def order():
    return {
        "customer": "maria@example.org",
        "note": "Leave it at the gate, see https://example.org/map",
        "lines": [{"sku": "A-1", "quantity": 2, "price": "9.50"}, {"sku": "B-7", "quantity": 1, "price": "0.99"}],
    }
