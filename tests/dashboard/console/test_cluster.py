"""The console on a cluster: routed by key, asked for a node without one."""

from dashboard.servers.models import Server
from tests.dashboard.conftest import assert_valid_html
from tests.servers import Cluster


def test_a_command_without_a_key_asks_for_a_node(typing, server, operator):
    with Cluster() as cluster:
        server.kind = Server.Kind.CLUSTER
        server.nodes = ",".join(f"127.0.0.1:{node.port}" for node in cluster.nodes)
        server.save()

        keyed = typing(operator, "SET cart:1 x\nGET cart:1").context["run"].outcomes
        page = typing(operator, "DBSIZE")
        asked = page.context["run"].outcomes[0]
        told = [typing(operator, "DBSIZE", node=node).context["run"].outcomes[0]
                for node in asked.nodes]  # fmt: skip

    assert [one.kind for one in keyed] == ["reply", "reply"]
    assert asked.kind == "choose"
    assert len(asked.nodes) == 3
    assert_valid_html(page)
    assert sum(one.answer.reply.value for one in told) == 1
    assert {one.answer.node for one in told} == set(asked.nodes)
