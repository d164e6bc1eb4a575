"""Replicas: who is one, which are well, and a survey that reads there and goes on when one dies."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import redis

from redisops.connection import Timeouts, connect
from redisops.errors import RedisopsError
from redisops.survey import Survey, standing, walking
from tests.servers import Cluster, RedisProcess, Watched, replica_of, restricted, until

KEYS = {f"cart:{n}": n for n in range(900)}
PATIENT = Timeouts(connect=10, read=10, deadline=20)


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[RedisProcess, RedisProcess]]:
    """A primary with 900 keys, and its replica. Tests leave them as they are."""
    with RedisProcess() as primary, replica_of(primary) as replica:
        with primary.client() as plain:
            plain.mset(KEYS)
            plain.wait(1, 5000)
        yield primary, replica


@pytest.fixture
def few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "FIRST", 10)
    monkeypatch.setattr(walking, "LARGEST", 10)


def address(server: RedisProcess) -> str:
    return f"127.0.0.1:{server.port}"


def done(survey: Any) -> Any:
    while not survey.advance(0.2).is_done:
        pass
    return survey.figures()


def calls_of(server: RedisProcess) -> dict[str, int]:
    """How often each command was called there."""
    with server.client() as plain:
        told = plain.info("commandstats")
    return {name.removeprefix("cmdstat_"): row["calls"] for name, row in told.items()}


def test_a_replica_is_found_and_read_with_the_same_credentials(
    pair: tuple[RedisProcess, RedisProcess], connecting: Any
) -> None:
    primary, replica = pair
    rules = ("~*", "+@all")
    url = restricted(primary, *rules, user="counter")
    restricted(replica, *rules, user="counter")

    client = connecting(url)
    [found] = client.replicas()
    read = connect(url).replicas()[0].client

    assert (found.name, found.primary, found.why_not) == (address(replica), "", "")
    assert found.run_id
    assert read.acl_whoami() == "counter"
    assert read.dbsize() == len(KEYS)
    with pytest.raises(redis.ReadOnlyError):
        read.set("x", 1)


def test_what_is_not_to_be_read_from_says_why(connecting: Any) -> None:
    """A replica announces an address where another server listens, or nobody does."""
    with (
        RedisProcess() as primary,
        replica_of(primary) as replica,
        RedisProcess() as other,
        replica_of(other) as of_another,
        RedisProcess("--replicaof", "127.0.0.1 1") as cut,
    ):
        client = connecting(primary.url, timeouts=PATIENT)
        reasons = {
            other.port: "is no replica",
            of_another.port: "is a replica of another server",
            cut.port: "has no link to its primary",
            1: "is not reachable from here",
        }
        with replica.client() as plain, primary.client() as at_primary:
            for port, why in reasons.items():
                plain.config_set("replica-announce-port", port)
                plain.execute_command("CLIENT", "KILL", "TYPE", "master")
                until(partial(_announces, at_primary, port), "it announces no other port", 20)
                [found] = client.replicas()
                assert found.name == f"127.0.0.1:{port}"
                assert why in found.why_not


def _announces(primary: redis.Redis, port: int) -> bool:
    told = primary.info("replication").get("slave0", {})
    return told.get("port") == port and told.get("state") == "online"


def test_an_address_that_is_not_permitted_is_not_connected_to(
    pair: tuple[RedisProcess, RedisProcess], connecting: Any
) -> None:
    primary, _ = pair
    asked: list[str] = []

    def permit(ip: str) -> None:
        asked.append(ip)
        if len(asked) > 1:
            raise RedisopsError("not there")

    [found] = connecting(primary.url, permit=permit).replicas()

    assert "not there" in found.why_not
    assert len(asked) >= 2


def test_a_replica_itself_and_a_user_without_info_have_none(
    pair: tuple[RedisProcess, RedisProcess], connecting: Any
) -> None:
    primary, replica = pair
    narrow = restricted(primary, "~*", "+@read", "-@dangerous", "+ping")

    assert connecting(replica.url).replicas() == []
    assert connecting(narrow).replicas() == []


def test_sentinel_names_the_replica_and_a_walk_stays_with_it_when_it_is_promoted(
    few_at_a_time: None,
) -> None:
    """A cursor is good for the process that gave it, whatever that is to the others."""
    with Watched() as watched:
        with watched.primary.client() as plain:
            plain.mset(KEYS)
            plain.wait(1, 5000)
        client = connect(watched.url)
        survey = Survey(client, samples=100)
        while survey.progress.counted < 300:
            survey.advance(0.0001)
        assert survey.facts["places"]["read"] == [["", address(watched.replica)]]

        watched.fail_over()
        until(
            lambda: [one.name for one in client.replicas() if not one.why_not]
            == [address(watched.primary)],
            "the old primary is no healthy replica", 20,
        )  # fmt: skip
        figures = done(Survey(client, state=survey.state()))

    assert figures.counted == len(KEYS)
    assert figures.facts["again"] == 0


@pytest.fixture(scope="module")
def grown() -> Iterator[tuple[Cluster, RedisProcess]]:
    """A cluster whose first primary has a replica."""
    with Cluster() as cluster:
        yield cluster, cluster.add_replica()


def test_a_clusters_replica_answers_for_its_primarys_keys(
    grown: tuple[Cluster, RedisProcess], connecting: Any
) -> None:
    cluster, replica = grown
    client = connecting(cluster.url)

    [found] = client.replicas()

    assert (found.name, found.primary) == (address(replica), address(cluster.nodes[0]))
    assert not found.why_not
    assert client.replicas(address(cluster.nodes[1])) == []


def test_a_cluster_is_counted_on_its_replicas_where_it_has_some(
    grown: tuple[Cluster, RedisProcess],
) -> None:
    cluster, replica = grown
    client = connect(cluster.url)
    for name, value in KEYS.items():
        client.set(name, value)
    with cluster.nodes[0].client() as plain:
        plain.wait(1, 5000)
        plain.config_resetstat()

    figures = done(Survey(client))

    assert figures.counted == len(KEYS) == figures.measured
    assert dict(figures.facts["places"]["read"]) == {
        address(cluster.nodes[0]): address(replica),
        address(cluster.nodes[1]): "",
        address(cluster.nodes[2]): "",
    }
    assert not {"scan", "type", "memory|usage"} & set(calls_of(cluster.nodes[0]))


def test_keys_are_counted_on_the_replica_and_their_use_asked_of_the_primary(
    pair: tuple[RedisProcess, RedisProcess],
) -> None:
    primary, replica = pair
    with primary.client() as plain:
        plain.config_resetstat()

    figures = done(Survey(connect(primary.url)))

    there = calls_of(primary)
    assert figures.counted == figures.measured == len(KEYS)
    assert figures.facts["places"] == {"read": [["", address(replica)]], "lost": [], "why": {}}
    assert not {"scan", "type", "pttl", "memory|usage"} & set(there)
    assert there["object|idletime"] == len(KEYS)


def test_a_walk_on_a_replica_goes_on_in_another_process(
    pair: tuple[RedisProcess, RedisProcess], few_at_a_time: None
) -> None:
    primary, replica = pair
    client = connect(primary.url)
    survey = Survey(client, samples=100)
    while survey.progress.counted < 300:
        survey.advance(0.0001)

    figures = done(Survey(client, state=survey.state()))

    assert figures.counted == len(KEYS)
    assert figures.facts["again"] == 0
    assert figures.facts["places"]["read"] == [["", address(replica)]]


def test_a_replica_that_dies_on_the_way_is_left_for_another_and_then_the_primary(
    few_at_a_time: None,
) -> None:
    with (
        RedisProcess() as primary,
        replica_of(primary) as one,
        replica_of(primary) as two,
        primary.client() as plain,
    ):
        plain.mset(KEYS)
        plain.wait(2, 5000)
        servers = {address(one): one, address(two): two}
        survey = Survey(connect(primary.url, timeouts=PATIENT), samples=100)
        for _ in range(2):
            while survey.progress.counted < 300:
                survey.advance(0.0001)
            [[_, name]] = survey.facts["places"]["read"]
            servers.pop(name).kill()
            while survey.progress.counted >= 300:
                survey.advance(0.0001)  # what it counted there is forgotten
        figures = done(survey)

        assert figures.counted == len(KEYS)
        assert figures.facts["again"] == 2
        assert figures.facts["places"]["read"] == [["", ""]]
        assert {name for name, _ in figures.facts["places"]["lost"]} == {address(one), address(two)}
