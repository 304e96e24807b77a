"""The secret of a home, and keys for single purposes."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from vertice.kernel.auth.keys import derive, home_secret
from vertice.kernel.errors import InputError


def test_each_purpose_has_its_own_key_and_always_the_same():
    keys = {derive(b"s" * 32, purpose) for purpose in ("csrf", "webhook")} | {derive(b"t" * 32, "csrf")}
    assert len(keys) == 3
    assert derive(b"s" * 32, "csrf") in keys
    assert all(len(key) == 32 for key in keys)


def test_a_home_has_one_secret_that_only_its_owner_reads(tmp_path):
    secret = home_secret(tmp_path)
    assert len(secret) == 32
    assert home_secret(tmp_path) == secret
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "secret.key").chmod(0o644)
    assert home_secret(tmp_path) == secret
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600


def test_those_who_come_at_the_same_time_get_the_same_secret(tmp_path):
    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(lambda _: home_secret(tmp_path), range(64)))) == 1


@pytest.mark.parametrize("content", ["", "short", "zz" * 32, "é" * 64, "ab" * 31])
def test_a_file_that_holds_no_secret_is_refused(tmp_path, content):
    (tmp_path / "secret.key").write_text(content)
    with pytest.raises(InputError, match="is not a secret key"):
        home_secret(tmp_path)


def test_a_home_that_cannot_be_written_is_said(tmp_path):
    with pytest.raises(InputError):
        home_secret(tmp_path / "missing")
