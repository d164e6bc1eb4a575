"""INFO as typed values, and the figures between two readings, on Redis and on Valkey."""

import json

import pytest
import redis

from redisops import info
from redisops.info import AsyncInspector, CommandStat, Inspector, command_rates


@pytest.fixture
def inspector(build):
    return build(Inspector, AsyncInspector)


def test_every_section_is_typed(inspector, client, server):
    client.set("a", 1)
    client.set("b", 1, ex=100)
    client.get("a")

    seen = inspector.read()

    assert seen.server.flavour == ("Valkey" if "valkey" in server.binary else "Redis")
    assert seen.server.version.count(".") == 2
    assert seen.server.mode == "standalone"
    assert len(seen.server.run_id) == 40
    assert seen.clients.connected_clients >= 1
    assert seen.memory.used_memory > 100_000
    assert seen.memory.maxmemory_policy == "noeviction"
    assert seen.persistence.rdb_last_bgsave_status == "ok"
    assert seen.persistence.loading is False
    assert seen.stats.total_commands_processed > 0
    assert seen.replication.role == "master"
    assert seen.cpu.used_cpu_user >= 0
    assert seen.commandstats["get"].calls >= 1
    assert seen.latencystats["get"].p99 > 0
    assert seen.keyspace[0].keys == 2
    assert seen.keyspace[0].expires == 1
    assert seen.keys == 2
    assert seen.missing == {}


def test_errors_are_counted_by_their_first_word(inspector, client):
    client.set("text", "x")
    with pytest.raises(redis.ResponseError):
        client.lpush("text", 1)

    assert inspector.read().errorstats["WRONGTYPE"] >= 1


def test_one_reading_is_one_round_trip(client, server):
    before = client.info("stats")["total_reads_processed"]

    info.read(client)

    # Reading the counter is itself one read.
    assert client.info("stats")["total_reads_processed"] - before == 2


def test_a_refused_histogram_is_named_and_the_rest_is_read(client, server):
    client.execute_command(
        "ACL", "SETUSER", "narrow", "reset", "on", ">secret", "~*", "+info", "+client"
    )
    with redis.Redis(port=server.port, username="narrow", password="secret") as narrow:
        seen = info.read(narrow)

    assert "LATENCY" in seen.missing["latency"].upper() or "permission" in seen.missing["latency"]
    assert seen.memory.used_memory > 0
    client.execute_command("ACL", "DELUSER", "narrow")


def test_a_refused_info_raises(client, server):
    client.execute_command("ACL", "SETUSER", "none", "reset", "on", ">secret", "~*", "+get")
    with (
        redis.Redis(port=server.port, username="none", password="secret") as nobody,
        pytest.raises(redis.exceptions.NoPermissionError),
    ):
        info.read(nobody)
    client.execute_command("ACL", "DELUSER", "none")


def test_slowest_lists_the_slow_log_slowest_first(inspector, client):
    client.config_set("slowlog-log-slower-than", 0)
    client.execute_command("DEBUG", "SLEEP", "0.02")
    client.execute_command("DEBUG", "SLEEP", "0.01")
    client.config_set("slowlog-log-slower-than", 10_000)

    slowest = inspector.slowest(2)

    assert [command.command for command in slowest] == [b"DEBUG SLEEP 0.02", b"DEBUG SLEEP 0.01"]
    assert slowest[0].duration == pytest.approx(0.02, rel=0.5)
    client.slowlog_reset()


def test_rates_are_what_happened_between(client):
    client.set("a", 1)
    before = info.read(client)
    for _ in range(30):
        client.get("a")
    for _ in range(10):
        client.get("absent")
    for _ in range(20):
        client.set("b", "x" * 100)
    after = info.read(client)

    seen = info.rates(before, after)

    assert not seen.restarted
    assert seen.reads * seen.seconds == pytest.approx(40)
    assert seen.writes * seen.seconds == pytest.approx(20)
    assert seen.hits * seen.seconds == pytest.approx(30)
    assert seen.hit_ratio == pytest.approx(0.75)
    assert seen.net_in * seen.seconds > 2000
    assert 0 < seen.p50 <= seen.p99 < 50
    assert [command.name for command in seen.top(2)] == ["get", "set"]
    assert sum(command.share for command in seen.by_command) == pytest.approx(1)
    assert not {"info", "latency|histogram"} & {command.name for command in seen.by_command}


def test_a_reset_invents_no_rate(client):
    for _ in range(50):
        client.get("a")
    before = info.read(client)
    client.config_resetstat()
    after = info.read(client)

    seen = info.rates(before, after)

    assert not seen.restarted
    assert (seen.commands, seen.hits, seen.hit_ratio, seen.p99) == (None, None, None, None)
    assert seen.by_command == ()


def test_a_restart_is_seen_and_invents_no_rate():
    before = info.build(b"# Server\r\nrun_id:a\r\nuptime_in_seconds:900\r\n")
    after = info.build(
        b"# Server\r\nrun_id:b\r\nuptime_in_seconds:1\r\n"
        b"# Stats\r\ntotal_commands_processed:1000000\r\n"
    )

    assert info.rates(before, after).restarted
    assert info.rates(before, after).commands is None


def test_without_a_run_id_a_falling_uptime_is_a_restart():
    before = info.build(b"# Server\r\nuptime_in_seconds:900\r\n")
    after = info.build(b"# Server\r\nuptime_in_seconds:3\r\n")

    assert info.restarted(before, after)
    assert not info.restarted(after, before)


def test_missing_sections_are_named_with_a_reason():
    seen = info.build(b"# Server\r\nredis_version:6.2.14\r\n\r\n# Memory\r\nused_memory:5\r\n")

    assert seen.memory.used_memory == 5
    assert seen.stats.keyspace_hits is None
    assert seen.missing["stats"] == "INFO does not tell it here"
    assert seen.missing["latencystats"] == "needs Redis 7.0 or Valkey"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe\r\n:::\r\n",
        b"# Server\r\nredis_version\r\n",
        b"# Stats\r\nkeyspace_hits:many\r\n# Keyspace\r\ndbx:keys=1\r\ndb0:keys=,expires\r\n",
        b"# Commandstats\r\ncmdstat_:calls\r\n# Replication\r\nslave0:ip=,lag=-\r\n",
    ],
)
def test_odd_text_never_raises(text):
    assert info.build(text).stats.keyspace_hits is None


def test_replicas_and_how_far_they_are_behind():
    seen = info.build(
        b"# Replication\r\nrole:master\r\nconnected_slaves:2\r\nmaster_repl_offset:1000\r\n"
        b"slave0:ip=10.0.0.1,port=6379,state=online,offset=990,lag=1,type=replica\r\n"
        b"slave1:ip=10.0.0.2,port=6380,state=wait_bgsave,offset=0,lag=0\r\n"
    )

    assert [replica.behind for replica in seen.replication.replicas] == [10, 1000]
    assert seen.replication.replicas[1].state == "wait_bgsave"


def test_the_spread_takes_unlisted_buckets_as_the_one_below():
    before = {"get": {4: 10, 16: 12}}
    after = {"get": {4: 13, 8: 14, 16: 18}, "info": {1000: 5}}

    assert info.spread(before, after) == {4: 3, 8: 1, 16: 2}


def test_quantiles_lie_inside_their_bucket():
    buckets = {16: 90, 32: 10}

    assert 0.008 <= info.quantile(buckets, 0.5) <= 0.016
    assert 0.016 <= info.quantile(buckets, 0.99) <= 0.032
    assert info.quantile({}, 0.5) is None


def test_a_command_that_only_failed_has_no_time_of_its_own():
    before = info.build(b"")
    after = info.build(b"# Commandstats\r\ncmdstat_get:calls=0,usec=0,rejected_calls=4\r\n")

    (only,) = command_rates(before.commandstats, after.commandstats, 2.0)

    assert (only.calls, only.usec, only.errors) == (0, 0, 2)
    assert after.commandstats["get"] == CommandStat(0, 0, rejected_calls=4)


def test_kept_counters_give_the_same_rates(client):
    before = info.read(client)
    for _ in range(10):
        client.get("a")
    after = info.read(client)

    kept = json.loads(json.dumps(info.to_plain(before)))

    assert info.rates(info.from_plain(kept), after) == info.rates(before, after)
