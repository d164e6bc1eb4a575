"""What other parts learn about servers: the side, the palette, the audit, the frame."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from dashboard.accounts.models import User
from dashboard.audit import record, visible_servers
from dashboard.servers import listing, palette
from dashboard.servers.models import Server
from redisops.connection import measure
from tests.servers import RedisProcess
from tests.waiting import Waiting

ClientFor = Callable[[User | None], Client]


def labels(user: User, query: str, rf: RequestFactory) -> list[str]:
    request = rf.get("/")
    request.user = user
    return [hit.label for hit in palette.hits(request, query)]


def test_the_palette_finds_what_one_may_open(
    owner: User, viewer: User, stranger: User, server: Server, rf: RequestFactory
) -> None:
    assert labels(viewer, "sho", rf) == ["Shop"]
    assert labels(stranger, "sho", rf) == []
    assert labels(owner, "shop", rf) == ["Shop", "Edit Shop", "Access to Shop"]
    assert "Add a server" in labels(owner, "add", rf)
    assert "Add a server" not in labels(viewer, "add", rf)


def test_the_audit_shows_each_person_the_servers_they_may_see(
    viewer: User, stranger: User, server: Server
) -> None:
    record("test", "keys.change", server="shop")
    record("test", "keys.change", server="other")

    assert [entry.server for entry in visible_servers.entries_for(viewer)] == ["shop"]
    assert not visible_servers.entries_for(stranger).exists()


def test_the_side_lists_what_one_may_open(
    owner: User, viewer: User, server: Server, client_for: ClientFor
) -> None:
    edit = reverse("servers:update", args=["shop"])

    assert edit in client_for(owner).get(reverse("servers:grants", args=["shop"])).content.decode()
    refused = client_for(viewer).get(edit)
    assert f'href="{edit}"' not in refused.content.decode()


def test_the_lists_stay_useful_while_home_is_away(
    owner: User, server: Server, client_for: ClientFor, home_process: RedisProcess
) -> None:
    console = client_for(owner)
    console.get(reverse("servers:index"))
    home_process.pause()
    try:
        for _ in range(4):
            started = Waiting()
            response = console.get(reverse("servers:index"))
            seconds = started.seconds
            assert response.status_code == 200
            assert "Shop" in response.content.decode()
            assert seconds < 3
        assert seconds < 1  # the breaker is open by now
    finally:
        home_process.resume()


def test_states_cost_the_page_nothing_and_home_one_look_in_two_seconds(server: Server) -> None:
    with measure() as cost:
        listing.mark_states([server])
        listing.mark_states([server])

    assert cost.commands == 0
    assert server.state == "unknown"


def test_a_list_of_servers_is_one_query(
    owner: User, db: None, rf: RequestFactory, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    Server.objects.bulk_create(
        Server(name=f"S{n}", slug=f"s{n}", nodes=f"s{n}:1") for n in range(30)
    )

    with django_assert_num_queries(1):
        assert len(labels(owner, "", rf)) == 30


@pytest.mark.parametrize(
    ("failing", "state"),
    [
        ({"cause": "unreachable"}, "unreachable"),
        ({"cause": "loading"}, "changing"),
        ({"cause": "auth"}, "bad"),
        (None, "ok"),
    ],
)
def test_states_follow_the_samplers_last_look(
    failing: dict[str, object] | None, state: str
) -> None:
    now = int(time.time())
    rest = {"since": now - 5, "last": now, "sentence": "", "next": "", "detail": "", "tries": 2}
    snapshot = listing.Snapshot(slot=now, at=now, failing=failing and {**rest, **failing})
    server = Server(name="S", slug="s")

    assert listing.state_of(server, snapshot)[0] == state
    assert listing.state_of(server, listing.Snapshot(slot=now - 60))[0] == "unknown"
