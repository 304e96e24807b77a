"""Who Vértice is on GitHub: a GitHub App that gets its own tokens, each for one repository and for an hour."""

import json
import logging
import traceback

import pytest
import stamina
from pydantic import SecretStr

from tests.github_server.server import Fault
from vertice.adaptive.execution.github_client import Access, App, session
from vertice.adaptive.execution.interface import NotYetError
from vertice.adaptive.review.model import Action
from vertice.kernel.errors import InputError, UnfinishedError
from vertice.kernel.redaction import redacted_text

CODE = "APV-20261121-001"


def branch(access: Access) -> str:
    return session(access, "acme", "shop", lambda api: api.repository()).default_branch


@pytest.fixture
def paths(service):
    """The requests that were made, without those that Prism answers by itself."""
    return lambda: [path for _, path in service.door.requests]


def test_an_app_finds_its_installation_gets_one_token_and_uses_it_again(service, paths):
    access = service.as_app(known=False)
    for _ in range(3):
        assert branch(access) == "main"
    repository = "/repos/acme/shop"
    asked = [f"{repository}/installation", "/app/installations/42/access_tokens"]
    assert paths() == [*asked, repository, repository, repository]
    app = service.state.app
    assert app.used == [app.tokens[0].text] * 3
    assert app.tokens[0].repositories == ("shop",), "it is good for this repository alone"


def test_an_installation_that_is_set_is_not_asked_for(service, paths):
    assert branch(service.as_app()) == "main"
    assert paths() == ["/app/installations/42/access_tokens", "/repos/acme/shop"]


def test_a_token_with_less_than_a_minute_left_is_not_used_again(service):
    access = service.as_app(seconds=50)
    branch(access)
    branch(access)
    app = service.state.app
    assert app.used == [token.text for token in app.tokens]
    assert len(app.tokens) == 2


def test_a_token_that_was_withdrawn_is_replaced_in_the_same_call(service):
    access = service.as_app()
    branch(access)
    service.state.app.revoke()
    assert branch(access) == "main"
    assert len(service.state.app.tokens) == 2


def test_an_app_that_was_installed_anew_is_found_again(service):
    access = service.as_app(known=False)
    branch(access)
    service.state.app.revoke()
    service.state.app.installation = 43
    assert branch(access) == "main"


@pytest.mark.parametrize("known", [True, False])
def test_an_app_that_is_not_installed_there_is_said(service, known):
    access = service.as_app(known=known)
    if known:
        service.state.app.installation = 43
    else:
        service.door.plan = lambda _at, _method, path: (
            Fault(404, body={"message": "Not Found"}) if path.endswith("/installation") else None
        )
    with pytest.raises(InputError, match="the GitHub App is not installed there") as caught:
        branch(access)
    assert "Install it on the repository" in caught.value.todo


def test_while_no_token_is_to_be_had_it_is_tried_again_later(service):
    access = service.as_app()
    service.door.plan = lambda _at, _method, path: Fault(503) if path.endswith("/access_tokens") else None
    with stamina.set_testing(True, attempts=2), pytest.raises(NotYetError, match="GitHub is in trouble"):
        branch(access)


def test_a_key_that_is_not_the_apps_is_refused_and_shown_nowhere(service, caplog):
    caplog.set_level(logging.DEBUG)
    access = service.as_app()
    other = service.as_app()
    assert isinstance(access.login, App)
    with pytest.raises(InputError, match="GitHub does not accept the app") as caught:
        branch(access)
    assert branch(other) == "main"
    told = "".join(traceback.format_exception(caught.value)) + caplog.text + repr(access) + repr(other)
    key = access.login.private_key.get_secret_value()
    assert not any(line in told for line in key.splitlines()[1:-1])
    assert all(token.text not in told for token in service.state.app.tokens)


def test_what_is_no_key_is_an_error_of_ours_that_does_not_show_it(service):
    login = App("1", SecretStr("-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0\n-----END RSA PRIVATE KEY-----"), 1)
    with pytest.raises(UnfinishedError) as caught:
        branch(Access(login, base_url=service.door.url))
    assert "c2VjcmV0" not in "".join(traceback.format_exception(caught.value))


def test_as_an_app_a_patch_is_proposed_and_merged(service, samples):
    commit = service.state.commit_files({"requirements.txt": samples.BEFORE})
    root = service.checkout(commit)
    forge = service.forge(access=service.as_app(known=False))
    proposal = forge.propose(root, samples.a_remedy(), CODE, "Fix it\n")
    decided = samples.a_decision()
    carried = forge.merge(root, proposal, samples.a_remedy(), decided.reviewer)
    assert carried.action is Action.pr_merged
    sent = {
        headers.get("authorization", "").partition(" ")[2]
        for _, path, headers in service.state.seen
        if path.startswith("/repos/") and not path.endswith("/installation")
    }
    assert sent == {token.text for token in service.state.app.tokens}
    assert len(sent) == 1


def test_a_token_and_a_key_are_taken_out_of_what_is_logged(service):
    service.as_app()
    app = service.state.app
    token = app.new_token(["shop"])["token"]
    assert redacted_text(f"GET with {token}, refused") == "GET with ghs_***, refused"
    assert redacted_text(json.dumps({"sent": token})) == '{"sent": "ghs_***"}'
    assert redacted_text(f"read {app.pem} from a file").strip() == "read ***\n from a file"
    assert redacted_text(f"cut off {app.pem[:200]}") == "cut off ***"
