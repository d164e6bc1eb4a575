"""A cluster of Redis 7: its streams on one page, each with its groups and its live tail."""

from __future__ import annotations

import pytest

from dashboard.servers.models import Server
from redisops import keys
from redisops.tail import Tail
from tests.dashboard.conftest import assert_valid_html
from tests.servers import Cluster
from tests.servers.process import REDIS, VALKEY

pytestmark = pytest.mark.django_db(transaction=True)
NAMES = (b"two\xff", b"one", b"<b>z")  # at three nodes
PAGE = "/servers/shop/streams/"


@pytest.fixture(scope="module")
def nodes():
    with Cluster(binary=REDIS or VALKEY) as running:
        yield running


@pytest.fixture
def server(server, nodes):
    server.kind = Server.Kind.CLUSTER
    server.nodes = ",".join(f"127.0.0.1:{node.port}" for node in nodes.nodes)
    server.save()
    client = server.client()
    for name in NAMES:
        client.delete(name)
        client.execute_command("XADD", name, "*", "tag", "a", "tag", name)
        client.xgroup_create(name, name, "0")
        client.xreadgroup(name, "one", {name: ">"})
    return server


def test_streams_of_all_nodes_are_listed_with_their_groups(client_for, operator, server):
    person = client_for(operator)

    listed = person.get(PAGE)

    assert {row.key for row in listed.context["listing"].rows} == set(NAMES)
    assert_valid_html(listed)
    for name in NAMES:
        stream = f"{PAGE}{keys.to_url(name)}/"
        for page in ("", "groups/", f"groups/{keys.to_url(name)}/", "add/", "trim/"):
            answer = person.get(stream + page)
            assert answer.status_code == 200, f"{stream}{page}"
        added = person.post(f"{stream}add/", {"fields_text": "via=web", "entry_id": ""})
        assert added.status_code == 302


def test_a_tail_reads_where_its_stream_is(server):
    client = server.client()
    waiting = client.blocking()
    for name in NAMES:
        tail = Tail(waiting, name)
        tail.next(block=1)
        new = client.execute_command("XADD", name, "*", "n", "1", "n", "2").decode()

        [entry] = tail.next(block=20_000).entries

        assert (entry.id, entry.fields) == (new, ((b"n", b"1"), (b"n", b"2")))
        assert [one.id for one in tail.since("0-1").entries][-1] == new
    waiting.close()
