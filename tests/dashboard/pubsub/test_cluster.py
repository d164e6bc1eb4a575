"""A cluster of Redis 7: its channels on one page, sharded ones heard where they are served."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async

from dashboard.servers.models import Server
from redisops import keys
from redisops.pubsub import Subscriber
from tests.dashboard.conftest import assert_valid_html
from tests.servers import Cluster
from tests.servers.process import REDIS, VALKEY

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("hub")]
PAGE = "/servers/shop/pubsub/"
NAMES = (b"two\xff", b"one", b"<b>z")  # at three nodes


@pytest.fixture(scope="module")
def nodes():
    with Cluster(binary=REDIS or VALKEY) as running:
        yield running


@pytest.fixture
def server(server, nodes):
    server.kind = Server.Kind.CLUSTER
    server.nodes = ",".join(f"127.0.0.1:{node.port}" for node in nodes.nodes)
    server.save()
    return server


def test_channels_of_all_nodes_are_listed_and_a_sharded_message_goes_to_its_own(
    client_for, operator, server
):
    person = client_for(operator)
    with Subscriber(server.client(), channels=["plain"], sharded=NAMES) as subscriber:
        assert subscriber.wait(20)

        answer = person.get(PAGE)
        told = person.post(
            f"{PAGE}publish/",
            {"channel": r"two\xff", "message": "hi", "sharded": "on"},
            follow=True,
        )
        heard = subscriber.get(20)

    text = answer.content.decode()
    assert answer.status_code == 200
    assert_valid_html(answer)
    assert "4 channels with subscribers" in text
    for name in (r"two\xff", "one", "&lt;b&gt;z", "plain"):
        assert f">{name}</a>" in text
    assert "1 subscription at the node that took it received it" in told.content.decode()
    assert (heard.channel, heard.data) == (b"two\xff", b"hi")


async def test_sockets_hear_sharded_channels_of_every_node_and_what_is_published_anywhere(
    dial, viewer, server, nodes
):
    addresses = [f"shard/{keys.to_url(name)}" for name in NAMES]
    addresses.append(f"pattern/{keys.to_url(b'p*')}")
    sockets = [await dial(viewer, f"/ws{PAGE}{one}/") for one in addresses]
    for socket in sockets:
        assert (await socket.connect())[0]
        await socket.message("state", seconds=20)  # told once the subscription is confirmed

    def publish():
        client = server.client()
        for name in NAMES:
            client.execute_command("SPUBLISH", name, b"%d" % NAMES.index(name))
        with nodes.nodes[2].client() as plain:
            plain.publish("plain", "for all")

    await sync_to_async(publish)()
    heard = [(await socket.message("rows", seconds=20))["rows"][0][1] for socket in sockets]

    assert [data[4] for data in heard] == ["0", "1", "2", "for all"]
    for socket in sockets:
        await socket.leave()
