"""Bans and exemptions of networks: everybody in them, the entry that ends last."""

from __future__ import annotations

from typing import Any

import pytest

from redisops.limits.matching import Asked, Matcher
from redisops.limits.policies import Ban, Exemption, Policy, problems

SOON, LATE = 2e9, 3e9


def said(ip: str, **fields: Any) -> tuple[float | None, float | None]:
    """The ends of the exemption and of the ban under which an address is."""
    (found,) = Matcher([Policy("p", limit=1, period=60.0, **fields)]).match(Asked(ip=ip))
    return found.exempt, None if found.banned is None else found.banned.until


def test_everybody_in_a_network_is_meant_and_nobody_else() -> None:
    banned = (Ban("10.0.0.0/8", SOON), Ban("2001:db8::/32", LATE), Ban("2001:db8:1:2:3::/80", SOON))

    for ip, until in (
        ("10.255.0.1", SOON), ("::ffff:10.0.0.1", SOON), ("11.0.0.1", None), ("", None),
        ("2001:db8:ffff::1", LATE), ("2001:db9::1", None), ("not an address", None),
    ):  # fmt: skip
        if ip:
            assert said(ip, banned=banned) == (None, until), ip
    assert said("2001:db8:1:2:3::9", banned=banned[2:]) == (None, SOON)
    assert said("2001:db8:1:2:4::9", banned=banned[2:]) == (None, None)


def test_of_several_entries_the_one_that_ends_last_holds() -> None:
    exempt = (
        Exemption("0.0.0.0/0", 1.0), Exemption("192.0.2.0/24", LATE), Exemption("192.0.2.7", SOON),
        Exemption("192.0.2.8/32", SOON),
    )  # fmt: skip

    assert said("192.0.2.7", exempt=exempt) == (LATE, None)
    assert said("192.0.2.8", exempt=exempt[2:]) == (SOON, None)
    assert said("198.51.100.1", exempt=exempt) == (1.0, None)


def test_a_slash_in_another_kind_of_subject_is_no_network() -> None:
    policy = Policy("p", limit=1, period=60.0, subject=("user",), banned=(Ban("10.0.0.0/8", SOON),))

    (found,) = Matcher([policy]).match(Asked(ip="10.0.0.1", user="10.0.0.0/8"))
    (other,) = Matcher([policy]).match(Asked(ip="10.0.0.1", user="ann"))

    assert (found.banned is not None, other.banned) == (True, None)


@pytest.mark.parametrize(
    ("subject", "words"),
    [("10.0.0.0/33", "is no network"), ("10.0.0.7/8", "write 10.0.0.0/8"), ("a/b", "is no network"),
     ("10.0.0.0/8", ""), ("2001:db8::/64", "")],
)  # fmt: skip
def test_a_network_that_is_none_is_explained(subject: str, words: str) -> None:
    found = problems(Policy("p", limit=1, period=60.0, banned=(Ban(subject, SOON),)))

    assert [words in problem.sentence for problem in found] == ([True] if words else [])
