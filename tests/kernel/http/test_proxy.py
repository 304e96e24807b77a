"""Who asked, seen through proxies."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertice.kernel.errors import InputError
from vertice.kernel.http.proxy import TrustedProxies, parse_address

OURS = TrustedProxies(["10.0.0.0/8", " fd00::/8 "])
addresses = st.ip_addresses().map(str)
strangers = st.sampled_from(["203.0.113.9", "198.51.100.7", "2001:db8::1", "::ffff:192.0.2.1"])
proxies = st.sampled_from(["10.0.0.1", "10.255.0.1", "fd00::1", "::ffff:10.0.0.2"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["1.1.1.1"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["6.6.6.6, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", ["6.6.6.6", "203.0.113.9", "10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9:4711"], "203.0.113.9"),
        ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("fd00::1", ["::ffff:203.0.113.9"], "203.0.113.9"),
        ("::ffff:10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["203.0.113.9, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9, '; DROP TABLE"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9,,10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("", ["203.0.113.9"], ""),
    ],
)
def test_the_first_stranger_from_the_right_is_who_asked(peer, forwarded, client):
    assert OURS.client(peer, forwarded) == client


@given(st.lists(st.text(max_size=30) | addresses, max_size=5), strangers, st.lists(proxies, max_size=5), proxies)
def test_nothing_that_a_stranger_claims_changes_who_asked(claims, stranger, between, peer):
    forwarded = [", ".join([*claims, stranger, *between])]
    assert OURS.client(peer, forwarded) == str(parse_address(stranger))


@given(st.lists(st.text(), max_size=40), st.text(max_size=80) | addresses)
def test_any_headers_give_an_address_or_the_peer_itself(forwarded, peer):
    found = OURS.client(peer, forwarded)
    assert found == peer or parse_address(found) is not None


def test_endless_headers_are_read_from_the_right_only_so_far():
    assert OURS.client("10.0.0.1", ["203.0.113.9," + "10.0.0.2," * 100_000 + "10.0.0.3"]) == "10.0.0.2"


@given(st.ip_addresses(v=4))
def test_one_ipv4_address_has_one_form(address):
    assert (
        parse_address(str(address)) == parse_address(f"::ffff:{address}") == parse_address(f"{address}:80") == address
    )


@given(st.ip_addresses(v=6), st.integers(0, 65535))
def test_an_ipv6_address_is_found_with_its_port_and_zone(address, port):
    expected = address.ipv4_mapped or address
    assert (
        parse_address(str(address))
        == parse_address(f"[{address}]:{port}")
        == parse_address(f"{address}%eth0")
        == expected
    )


@pytest.mark.parametrize(
    "text", ["", "x", "1.2.3", "1.2.3.4:", "1.2.3.4:x", "[::1", "[::1]x", "1.2.3.4:\u0661", "::1" * 99]
)
def test_what_is_no_address_is_none(text):
    assert parse_address(text) is None


@pytest.mark.parametrize("text", ["10.0.0.1/8", "ten", "", "10.0.0.0/99"])
def test_what_is_no_network_is_said(text):
    with pytest.raises(InputError, match="is not a network"):
        TrustedProxies([text])


def test_a_single_machine_is_a_network_too():
    assert TrustedProxies(["10.0.0.1"]).trusts("10.0.0.1")
    assert ip_address("10.0.0.2") == parse_address("10.0.0.2")
    assert not TrustedProxies(["10.0.0.1"]).trusts("10.0.0.2")
