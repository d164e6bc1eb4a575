"""Judged commands on real servers: measured, run once, bounded; narrow users, clusters, faults."""

import pytest

from redisops.commands import (
    AsyncCommands,
    Commands,
    Limits,
    NodeWanted,
    check_of,
    parse,
    text,
)
from redisops.connection import measure
from redisops.errors import UnknownResult
from redisops.keys import slot as slot_of
from tests.faults.proxy import Proxy
from tests.redisops.commands.plain import plain
from tests.servers import restricted


class Desk:
    """Types lines into commands of either kind and returns what came of them."""

    def __init__(self, connecting, url, role="admin", **options):
        client = connecting(url)
        kind = AsyncCommands if connecting.awaiting else Commands
        target = getattr(client, "target", client)
        self.commands = kind(target, protected=b"redisops:", **options)
        self.role = role
        self.loop = connecting.loop if connecting.awaiting else None

    def call(self, name, *args, **options):
        reply = getattr(self.commands, name)(*args, **options)
        return self.loop.run_until_complete(reply) if self.loop else reply

    def __call__(self, line, node=""):
        """An Answer or NodeWanted; a Verdict or Refusal when it is not run."""
        args, table = parse(line), self.call("table")
        verdict = self.call("judge", args, table, self.role)
        if not verdict.allowed:
            return verdict
        return self.call("measure", verdict) or self.call(
            "execute", args, verdict, table, node
        )  # fmt: skip


@pytest.fixture
def desk(connecting, server):
    return lambda role="admin", **options: Desk(connecting, server.url, role, **options)


def test_a_command_is_run_and_counted(desk, client):
    typed = desk()
    assert text(typed(r'SET a "x\x00"').reply) == "OK"

    with measure() as cost:
        answer = typed("GET a")

    assert answer.reply.value == b"x\x00"
    assert (answer.sent, answer.received) == (20, 8)
    assert cost.round_trips == 2  # its length, and itself
    assert text(typed("HGETALL nothing").reply) == "(empty array)"


def test_the_table_is_read_in_one_round_trip_and_once(desk):
    typed = desk()

    with measure() as first:
        table = typed.call("table")
    with measure() as second:
        again = typed.call("table")

    assert first.round_trips == 2  # what the server is, and its commands
    assert (second.round_trips, again) == (0, table)
    assert table.docs["config|set"].group == "server"


def test_a_big_value_is_refused_and_a_big_answer_left(desk, client):
    client.rpush("l", *range(3000))
    typed = desk(limits=Limits(data=1000, elements=50))

    assert "more than 1,000" in typed("LRANGE l 0 -1").reason
    answer = typed("LRANGE l 0 999")

    assert answer.cut
    assert len(answer.reply.value) == 49
    assert text(typed("LLEN l").reply) == "(integer) 3000"  # on a new connection


def test_what_cannot_be_measured_is_not_run(desk, connecting, server, client):
    client.set("a", "1")
    url = restricted(server, "~*", "+@all", "-memory")
    assert "lacks +memory|usage" in Desk(connecting, url)("DUMP a").reason

    client.rpush("l", "1")
    assert text(desk()("GET l").reply).startswith("(error) WRONGTYPE")


def test_the_consoles_own_keys_are_listed_nowhere(desk, client):
    client.mset({"redisops:a": "1", "redisops:b": "2"})
    typed = desk("viewer")

    assert text(typed("RANDOMKEY").reply) == '"(a key of the console\'s own)"'
    client.set("cart:1", "1")
    cursor, names = typed("SCAN 0 COUNT 100").reply.value
    assert (cursor.value, [one.value for one in names.value]) == (b"0", [b"cart:1"])


def test_no_command_gets_past_the_policy(desk, server):
    typed = desk("viewer")
    table = typed.call("table")
    args = parse("FLUSHALL")

    with pytest.raises(ValueError, match="only what the policy allows"):
        typed.call("execute", args, typed.call("judge", args, table, "viewer"), table)


def test_a_lost_answer_is_unknown_and_never_repeated(connecting, server, client):
    with Proxy(server.port) as proxy:
        typed = Desk(connecting, proxy.url)
        typed("PING")
        proxy.mode("lose_reply", match=b"INCR")

        with pytest.raises(UnknownResult):
            typed("INCR visits")

    assert client.get("visits") == b"1"


def test_a_reset_in_the_middle_of_an_answer_reads_again(connecting, server, client):
    client.set("a", "x" * 1000)
    with Proxy(server.port) as proxy:
        typed = Desk(connecting, proxy.url)
        typed("PING")
        proxy.mode("reset_after", count=100, match=b"GETRANGE", times=1)

        assert typed("GETRANGE a 0 999").reply.value == b"x" * 1000


def test_a_narrow_user_still_reads(connecting, server, client):
    client.set("a", "1")
    url = restricted(server, "~a*", "+@read", "-@dangerous", "-strlen", "+ping")
    typed = Desk(connecting, url)

    assert typed.call("table").lacks == "+command"
    assert text(typed("TTL a").reply) == "(integer) -1"
    assert "+strlen" in typed("GET a").reason
    assert typed("CONFIG GET maxmemory").reply.text.startswith("NOPERM")


def test_a_cluster_routes_by_key_and_asks_for_a_node(connecting, cluster):
    typed = Desk(connecting, cluster.url)
    written = {typed(f"SET key:{n} {n}").node for n in range(12)}
    read = [text(typed(f"GET key:{n}").reply) for n in range(12)]
    asked = typed("DBSIZE")
    sizes = [typed("DBSIZE", node=node).reply.value for node in asked.nodes]
    crossed = typed("MGET key:1 key:2")
    key, old, new = cluster.to_move()
    slot = slot_of(key.encode())
    with new.client() as there:
        name = there.execute_command("CLUSTER", "MYID")
    for node in (new, old):
        with node.client() as plain_client:
            plain_client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", name)
    moved = typed(f"SET {key} 1")

    assert len(written) == 3
    assert read == [f'"{n}"' for n in range(12)]
    assert isinstance(asked, NodeWanted)
    assert set(asked.nodes) == written
    assert sum(sizes) == 12
    assert crossed.reply.text.startswith("CROSSSLOT")
    assert (text(moved.reply), moved.node) == ("OK", f"127.0.0.1:{new.port}")


def test_every_write_has_a_way_to_check(desk):
    typed = desk()
    table = typed.call("table")
    for name, command in table.commands.items():
        if "write" in command.flags and command.specs:
            args = plain(command)
            verdict = typed.call("judge", args, table, "admin")
            line = check_of(command, args, verdict)
            asked = typed.call("judge", parse(line), table, "admin")
            assert not verdict.allowed or (asked.allowed and not asked.writes), (name, line)
