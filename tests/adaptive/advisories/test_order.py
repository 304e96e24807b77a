"""The order of versions."""

from hypothesis import given
from hypothesis import strategies as st

from vertice.adaptive.advisories.order import START, is_pep440, order_key, public_key, sorted_versions


def test_odd_versions_come_before_all_others_and_after_the_start() -> None:
    ordered = [
        "0.1-alpha-odd",
        "0.9-eevee",
        "2019-09-12",
        "0.dev0",
        "0",
        "1.0a1",
        "1.0",
        "1.0+local",
        "1.0.post1",
        "1!0",
    ]
    keys = [START, *map(order_key, ordered)]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


def test_equal_versions_have_equal_keys() -> None:
    assert order_key("1.0") == order_key("v1.0.0") == order_key(" 1")
    assert public_key("1.0+cu118") == order_key("1.0")
    assert public_key("odd+odd-") == order_key("odd+odd-")


def test_sorted_versions_leaves_odd_ones_out() -> None:
    assert sorted_versions(["10", "9", "2019-09-12", "9.0", "1.0rc1"]) == ("1.0rc1", "9.0", "10")


@given(st.text(), st.text())
def test_any_two_texts_have_an_order(left: str, right: str) -> None:
    first, second = order_key(left), order_key(right)
    assert (first < second) + (second < first) + (first == second) == 1
    assert is_pep440(left) is (first[0] == 1)
