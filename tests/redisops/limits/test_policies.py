"""Policies as values: what is wrong with one, what it says, and the document they travel in."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redisops.errors import InvalidArgument
from redisops.limits.document import MOST_BYTES
from redisops.limits.policies import (
    Ban,
    Document,
    DocumentError,
    Exemption,
    Policy,
    problems,
    sentence,
)

SOUND = Policy(
    "orders",
    service="shop",
    methods=("POST", "PUT"),
    path="/orders/{id}/**",
    subject=("user", "header:X-Team"),
    algorithm="gcra",
    limit=100,
    period=60,
    burst=20,
    cost=2,
    mode="shadow",
    on_failure="local",
    order=-3,
    exempt=(Exemption("ann|blue", 1e9),),
    banned=(Ban("bob|red", 2e9, "abuse"),),
    version=7,
    note="a note \ud800 \N{SNOWMAN}",
    owner="shop-team",
)
PLACES = Policy(
    "exports", algorithm="concurrency", limit=4, period=30, shares=(("high", 0.9), ("low", 0.5))
)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "two:parts", "is not made of"),
        ("name", "a\n", "is not made of"),
        ("service", "", 'is not "*"'),
        ("methods", ("post",), "in capitals"),
        ("methods", ("POST", "POST"), "twice"),
        ("path", "orders", 'does not begin with "/"'),
        ("path", "/a**/b", "does not stand alone"),
        ("path", "/{a", "brace"),
        ("path", "/x?y=1", "query"),
        ("path", "/" + "x" * 600, "512 is the most"),
        ("path", "/a\r\nb", "control character"),
        ("subject", (), "needs 1 to 4"),
        ("subject", ("user", "global"), "stands alone"),
        ("subject", ("header:X Team",), "no name of a header"),
        ("subject", ("header:X-A", "header:x-a"), "twice"),
        ("subject", ("session",), "none of user, ip, api_key, global"),
        ("algorithm", "magic", "none of"),
        ("limit", 0, "between 1 and"),
        ("limit", 10**10, "between 1 and"),
        ("period", float("nan"), "not between"),
        ("period", -1, "not between"),
        ("period", 1e12, "not between"),
        ("burst", 0, "between 1 and"),
        ("cost", 0, "between 1 and"),
        ("cost", 21, "every request would be denied"),
        ("mode", "on", "none of off, shadow, enforce"),
        ("on_failure", "maybe", "none of open, closed, local"),
        ("order", 10**9, "not between"),
        ("exempt", (Exemption("", 1.0),), "not 1 to"),
        ("exempt", (Exemption("a", float("inf")),), "no moment"),
        ("exempt", (Exemption("bob|red", 1.0),), "a ban would win"),
        ("banned", (Ban("a", 1.0), Ban("a", 2.0)), "there twice"),
        ("banned", tuple(Ban(str(n), 1.0) for n in range(1001)), "1000 is the most"),
        ("shares", (("high", 0.5),), "other algorithms have none"),
        ("note", "x" * 3000, "2000 is the most"),
    ],
)
def test_a_problem_names_its_field_and_says_what_would_be_right(
    field: str, value: Any, words: str
) -> None:
    found = problems(dataclasses.replace(SOUND, **{field: value}))

    assert any(words in problem.sentence for problem in found), found
    assert field in {problem.field for problem in found} or words == "a ban would win"
    assert all(problem.sentence.endswith(".") for problem in found)


def test_a_sound_policy_has_no_problems() -> None:
    assert problems(SOUND) == problems(PLACES) == []
    assert problems(dataclasses.replace(SOUND, algorithm="sliding_log", burst=None)) == []


def test_places_have_rules_of_their_own() -> None:
    def wrong(**changes: Any) -> str:
        return problems(dataclasses.replace(PLACES, **changes))[0].sentence

    assert "from 0.05 to 3600" in wrong(period=0)
    assert "cost is 1" in wrong(cost=2)
    assert "not one of critical" in wrong(shares=(("vip", 0.5),))
    assert "between 0 and" in wrong(shares=(("high", 1.5),))
    assert "twice" in wrong(shares=(("low", 0.5), ("low", 0.4)))
    assert "belongs to" in wrong(burst=3)


def test_a_sentence_says_who_may_do_what_and_what_happens_then() -> None:
    enforced = dataclasses.replace(SOUND, mode="enforce", period=3600, cost=1)

    assert sentence(enforced) == (
        "Each pair of user and X-Team header may make 100 POST or PUT requests to /orders/{id}/** "
        "of the service shop an hour, spaced evenly, at most 20 at once. What is above is denied. "
        "Requests without user or X-Team header are not limited by it. While Redis is away each "
        "process of the service allows its share of the limit. 1 subject is exempt for a time. "
        "1 subject is banned for a time."
    )
    assert "nothing is denied" in sentence(SOUND)
    assert "in flight at once" in sentence(PLACES)
    assert "It is off" in sentence(dataclasses.replace(SOUND, mode="off"))
    assert "90 seconds" in sentence(dataclasses.replace(SOUND, period=90))


def test_a_document_comes_back_as_it_went() -> None:
    document = Document(9, (SOUND, PLACES), "shop")

    data = document.dumps()

    assert Document.loads(data) == document
    assert data.startswith(b'{"format":1,"version":9,"digest":"')


def test_a_document_with_problems_is_not_written() -> None:
    with pytest.raises(InvalidArgument, match="'orders', limit"):
        Document(1, (dataclasses.replace(SOUND, limit=0),)).dumps()
    with pytest.raises(InvalidArgument, match="two policies have the name"):
        Document(1, (SOUND, SOUND)).dumps()
    with pytest.raises(InvalidArgument, match="version"):
        Document(-1).dumps()
    with pytest.raises(InvalidArgument, match="tag"):
        Document(1, tag="a{b}").dumps()
    notes = tuple(dataclasses.replace(SOUND, name=f"p{n}", note="x" * 2000) for n in range(1200))
    with pytest.raises(InvalidArgument, match="bytes"):
        Document(1, notes).dumps()


def changed(**values: Any) -> bytes:
    raw = json.loads(Document(1, (SOUND,)).dumps())
    raw.pop("digest")
    policy = raw["policies"][0]
    for name, value in values.items():
        (raw if name in raw else policy)[name] = value
    return json.dumps(raw).encode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        (b'"text"', "no JSON object"),
        (b"{}", "format"),
        (changed(format=2), "format 2 and this redisops knows 1: update"),
        (changed(format=True), "format"),
        (b'{"format":' + b"9" * 5000 + b"}", "no JSON"),
        (b"[" * 200_000 + b"]" * 200_000, "nested too deeply"),
        (b'{"format":1,"a":' * 150_000 + b"1" + b"}" * 150_000, "longer than|too deeply"),
        (b" " * (MOST_BYTES + 1), "longer than"),
        (changed(version="1"), "version"),
        (changed(policies={}), "no list"),
        (changed(policies=[[]]), "a policy is an object, not list"),
        (changed(limit=float("nan")), "NaN is no number"),
        (changed(limit=True), "'limit' is bool, not a whole number"),
        (changed(limit=-5), "limit: Limit -5 is not a whole number"),
        (changed(period="60"), "'period' is str"),
        (changed(period=10**400), "not a finite number|too large"),
        (changed(banned=[{"subject": "x"}]), "lacks its 'until'"),
        (changed(shares=[["low"]]), "pairs"),
        (changed(methods="POST"), "'methods' is str, not a list"),
        (Document(1, (SOUND,)).dumps().replace(b'"limit":100', b'"limit":900'), "digest"),
        (Document(1, (SOUND,)).dumps()[:-40], "no JSON"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_document_is_refused_with_a_sentence(data: bytes, words: str) -> None:
    with pytest.raises(DocumentError, match=words):
        Document.loads(data)


def test_names_that_are_not_known_are_left() -> None:
    raw = json.loads(changed())
    raw["later"] = raw["policies"][0]["later"] = {"x": 1}

    assert Document.loads(json.dumps(raw).encode()) == Document(1, (SOUND,))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([
            "format", "version", "policies", "tag", "digest", "name", "limit", "period", "subject",
            "banned", "exempt", "shares", "until", "burst",
        ]), inner),
        max_leaves=12,
    )
)  # fmt: skip
@settings(max_examples=150)
def test_any_json_is_a_document_or_a_document_error(raw: Any) -> None:
    for value in (
        raw,
        {"format": 1, "version": 1, "policies": raw},
        {"format": 1, "policies": [raw]},
    ):
        try:
            document = Document.loads(json.dumps(value).encode())
        except DocumentError:
            continue
        assert Document.loads(document.dumps()) == document
