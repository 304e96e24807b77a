"""GitHub as the settings say it: a token, an app, or neither."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from tests.github_server.app import FakeApp
from vertice.adaptive.execution.github_client import App
from vertice.adaptive.execution.github_settings import github_of
from vertice.kernel.environment import Environment
from vertice.kernel.errors import InputError
from vertice.kernel.settings import ServiceSettings, load_service


@pytest.fixture(scope="module")
def pem() -> str:
    return FakeApp().pem


@pytest.fixture
def load(tmp_path):
    def loaded(**variables: str) -> ServiceSettings:
        return load_service(Environment({"VERTICE_HOME": str(tmp_path), **variables}, tmp_path, tmp_path / "none"))

    return loaded


def test_without_a_token_and_without_an_app_there_is_no_github(load):
    assert github_of(load()) is None


def test_a_token_alone_is_used_as_it_is(load):
    found = github_of(load(GITHUB_TOKEN="github_pat_x"))
    assert found.access.login == SecretStr("github_pat_x")


def test_an_app_is_preferred_to_a_token(load, pem):
    found = github_of(
        load(GITHUB_TOKEN="t", GITHUB_APP_ID="4711", GITHUB_APP_PRIVATE_KEY=pem, GITHUB_APP_INSTALLATION_ID="42")
    )
    assert (found.access.login.id, found.access.login.installation) == ("4711", 42)


def test_the_key_is_read_from_a_file_or_from_one_line(load, pem, tmp_path):
    (tmp_path / "app.pem").write_text(pem)
    from_file = github_of(load(GITHUB_APP_ID="1", GITHUB_APP_PRIVATE_KEY_FILE=str(tmp_path / "app.pem")))
    from_line = github_of(load(GITHUB_APP_ID="1", GITHUB_APP_PRIVATE_KEY=pem.replace("\n", "\\n")))
    keys = [found.access.login.private_key.get_secret_value().strip() for found in (from_file, from_line)]
    assert keys == [pem.strip()] * 2
    assert isinstance(from_file.access.login, App)
    assert "PRIVATE KEY" not in repr(from_file)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"GITHUB_APP_ID": "1"}, "GITHUB_APP_PRIVATE_KEY is not set"),
        ({"GITHUB_APP_PRIVATE_KEY": "x"}, "GITHUB_APP_ID is not set"),
        ({"GITHUB_APP_ID": "1", "GITHUB_APP_PRIVATE_KEY": "hunter2"}, "is no RSA private key in PEM"),
    ],
)
def test_half_an_app_is_refused_without_showing_what_was_given(load, given, said):
    with pytest.raises(InputError, match=said) as caught:
        github_of(load(**given))
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_key_of_another_kind_is_refused(load):
    key = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(InputError, match="is no RSA private key"):
        github_of(load(GITHUB_APP_ID="1", GITHUB_APP_PRIVATE_KEY=key.decode()))
