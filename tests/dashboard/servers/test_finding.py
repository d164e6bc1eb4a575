"""Which keys of one type there are: looked for in parts, remembered on home."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from dashboard.servers import finding
from dashboard.servers.models import Server
from redisops.connection import measure

pytestmark = pytest.mark.django_db


def test_names_of_one_type_are_found_and_remembered(
    server: Server, data: redis.Redis, settings: Any
) -> None:
    settings.HOME_PREFIX = "own:"
    data.set("plain", 1)
    data.xadd("own:secret", {"a": "1"})
    for name in (b"b", b"a", b"\xff<b>"):
        data.xadd(name, {"a": "1"})

    first = finding.found(server, "stream")
    data.xadd("c", {"a": "1"})
    with measure() as cost:
        again = finding.found(server, "stream")

    assert first.names == again.names == (b"a", b"b", b"\xff<b>")
    assert first.is_complete and (first.looked, first.total) == (5, 5)
    assert cost.commands == 1  # home's memory; the server was not asked
    assert finding.found(server, "stream", look_on=True).names[-2:] == (b"c", b"\xff<b>")
    assert finding.found(server, "zset").names == ()


def test_a_small_server_is_looked_at_again_after_a_while(
    server: Server, data: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    data.xadd("a", {"a": "1"})
    finding.found(server, "stream")
    data.delete("a")
    data.xadd("b", {"a": "1"})

    monkeypatch.setattr(finding, "FRESH", 0.0)

    assert finding.found(server, "stream").names == (b"b",)


def test_a_large_server_is_looked_through_in_parts(
    server: Server, data: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    with data.pipeline(transaction=False) as pipe:
        for number in range(2500):
            pipe.zadd(f"board:{number}", {"a": 1})
        pipe.execute()
    monkeypatch.setattr(finding, "SCANS", 1)

    part = finding.found(server, "zset")
    same = finding.found(server, "zset")
    while part.may_look_on:
        before, part = part, finding.found(server, "zset", look_on=True)
        assert len(part.names) > len(before.names) or part.is_full

    assert same.looked < same.total == 2500 and not same.is_complete
    assert part.is_full and len(part.names) == finding.MOST


def test_what_was_found_stays_until_a_new_walk_is_through(
    server: Server, data: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1500):
        data.set(f"filler:{number}", 1)
    data.xadd("here", {"a": "1"})
    while not finding.found(server, "stream", look_on=True).is_complete:
        pass
    data.delete("here")
    monkeypatch.setattr(finding, "SCANS", 1)

    begun = finding.found(server, "stream", look_on=True)
    through = finding.found(server, "stream", look_on=True)

    assert begun.may_look_on and begun.names == (b"here",)
    assert not through.may_look_on and through.names == ()


def test_names_come_and_go_by_hand(server: Server, data: redis.Redis) -> None:
    data.xadd("a", {"a": "1"})
    finding.found(server, "stream")

    finding.add(server, "stream", b"new")
    finding.strike(server, "stream", [b"a"])

    assert finding.found(server, "stream").names == (b"new",)


def test_what_a_count_measured_is_known_before_anybody_has_looked_through_all(
    server: Server, data: redis.Redis, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.HOME_PREFIX = "own:"
    monkeypatch.setattr(finding, "SCANS", 1)
    for n in range(2_500):
        data.set(f"filler:{n}", 1)
    for name in ("top", "shop:sessions:{7}", "svc:{pay}:lease", "redisops:cache:{x}:versions"):
        data.zadd(name, {"a": 1})

    finding.learn(server, "zset", [b"big<b>", b"own:secret", b"shop:sessions:{8}"])
    first = finding.found(server, "zset")
    while not finding.found(server, "zset").is_complete:
        finding.found(server, "zset", look_on=True)

    assert b"big<b>" in first.names and first.looked and not first.is_complete
    assert finding.found(server, "zset").names == (b"top",)


def test_without_home_each_page_looks_itself(
    server: Server, data: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    data.xadd("a", {"a": "1"})

    def away(*_: object) -> None:
        raise redis.ConnectionError("away")

    plain = Server.client
    monkeypatch.setattr(Server, "client", lambda s: away() if s.is_home else plain(s))

    seen = finding.found(server, "stream")

    assert seen.names == (b"a",) and not seen.is_remembered


def test_a_look_that_is_refused_shows_what_is_remembered(
    server: Server, data: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    data.xadd("a", {"a": "1"})
    finding.found(server, "stream")
    monkeypatch.setattr(finding, "FRESH", 0.0)

    data.execute_command("ACL", "SETUSER", "default", "-scan")
    try:
        assert finding.found(server, "stream").names == (b"a",)
        with pytest.raises(redis.ResponseError):
            finding.found(server, "stream", look_on=True)
    finally:
        data.execute_command("ACL", "SETUSER", "default", "+@all")
