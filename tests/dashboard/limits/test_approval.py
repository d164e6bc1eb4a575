"""A second person on production: who may let a change through, and what happens meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis
from django.test import Client

from dashboard.accounts.models import Team, User
from dashboard.accounts.roles import Role
from dashboard.audit.models import Entry
from dashboard.limits.policies.models import LimitPolicy, PendingChange, PolicyVersion
from dashboard.limits.publishing.models import Publication
from dashboard.servers.models import Grant, Server
from redisops.limits.policies import Document
from tests.dashboard.conftest import PASSWORD, assert_valid_html
from tests.dashboard.limits.policies import HERE, kept, typed

ClientFor = Callable[[User | None], Client]


@pytest.fixture
def asking(server: Server, operator: User, client_for: ClientFor) -> Client:
    """The operator's browser; production, and a second person is asked for."""
    server.environment = Server.Environment.PRODUCTION
    server.save()
    team = Team.objects.create(name="Orders")
    team.members.add(operator)
    kept(server, team=team)
    Publication.objects.update(second_person=True)
    return client_for(operator)


@pytest.fixture
def second(server: Server, client_for: ClientFor) -> Client:
    """Another person, an admin of this server."""
    person = User.objects.create_user("second", "second@example.org", PASSWORD)
    Grant.objects.create(server=server, user=person, role=Role.ADMIN)
    return client_for(person)


def change(asking: Client, seen: str = "1", **changes: str) -> str:
    team = Team.objects.get().pk
    answer = asking.post(f"{HERE}orders/edit/", typed(team=team, seen=seen, **changes))
    assert answer.status_code == 302, answer.content.decode()[-2000:]
    return str(answer["Location"])


def test_a_change_waits_and_is_let_through_by_somebody_else(
    asking: Client, second: Client, data: redis.Redis
) -> None:
    same = asking.post(f"{HERE}orders/versions/1/", {"seen": "1"}, follow=True)
    assert b"Nothing changed: version 1 holds." in same.content
    page = change(asking, limit="90", reason="Sale")
    assert page == f"{HERE}changes/{PendingChange.objects.get().pk}/"
    assert LimitPolicy.objects.get().version == 1
    assert Document.loads(data.get("redisops:limits")).policies[0].limit == 60
    mine = asking.get(page)
    assert_valid_html(mine)
    assert b"Take it back" in mine.content and b"Let it through" not in mine.content
    assert asking.post(f"{page}approve/").status_code == 403  # an operator
    theirs = second.get(page)
    assert_valid_html(theirs)
    assert b"Let it through" in theirs.content and b"<b>90</b>" in theirs.content
    for shown in (HERE, f"{HERE}orders/"):
        told = second.get(shown)
        assert_valid_html(told)
        assert b"aits for a second person" in told.content
    assert b"1 waiting" in second.get(HERE).content

    done = second.post(f"{page}approve/", {"why": "Agreed"}, follow=True)

    assert b"saved as version 2. Published as document 2" in done.content
    assert Document.loads(data.get("redisops:limits")).policies[0].limit == 90
    version = PolicyVersion.objects.get(number=2)
    assert (version.author, version.approved_by, version.reason) == ("operator", "second", "Sale")
    again = second.post(f"{page}approve/", follow=True)
    assert b"was approved by second already" in again.content
    told = Entry.objects.filter(action__in=("limits.ask", "limits.change", "limits.approved"))
    assert [(one.action, one.actor) for one in told.order_by("number")] == [
        ("limits.ask", "operator"), ("limits.change", "second"), ("limits.approved", "second"),
    ]  # fmt: skip


def test_nobody_lets_their_own_change_through_whatever_their_role(
    asking: Client, owner: User, client_for: ClientFor
) -> None:
    browser = client_for(owner)
    asked = browser.post(f"{HERE}orders/mode/", {"mode": "off", "seen": "1"})
    own = browser.post(f"{asked['Location']}approve/", follow=True)
    assert b"You asked for this change: somebody else lets it through." in own.content
    taken = browser.post(f"{asked['Location']}withdraw/", follow=True)
    assert b"is taken back" in taken.content
    made = browser.post(f"{HERE}new/", typed(name="fresh"))
    assert "/changes/" in made["Location"] and LimitPolicy.objects.count() == 1
    assert_valid_html(browser.get(made["Location"]))
    gone = browser.post(f"{HERE}orders/delete/", {"seen": "1"})
    assert_valid_html(browser.get(gone["Location"]))
    assert LimitPolicy.objects.get().archived is None


def test_a_change_that_was_overtaken_can_only_be_turned_down(
    asking: Client, second: Client, viewer: User, client_for: ClientFor
) -> None:
    first, late = change(asking, limit="90"), change(asking, limit="80")
    second.post(f"{first}approve/")
    shown = second.get(late)
    assert_valid_html(shown)
    assert b"has gone on since" in shown.content and b"Let it through" not in shown.content
    refused = second.post(f"{late}approve/", follow=True)
    assert b"orders is at version 2 by now" in refused.content
    assert b"Say why" in second.post(f"{late}reject/", follow=True).content
    second.post(f"{late}reject/", {"why": "Overtaken <b>"})
    assert LimitPolicy.objects.get().as_policy().limit == 90
    seen = client_for(viewer).get(late)
    assert b"Turned down by second" in seen.content and b"Overtaken &lt;b&gt;" in seen.content
    assert client_for(viewer).post(f"{late}reject/").status_code == 403


def test_the_rule_is_set_by_admins_and_holds_on_production_alone(
    asking: Client, second: Client, server: Server, viewer: User, client_for: ClientFor
) -> None:
    assert asking.post(f"{HERE}settings/", {}).status_code == 403
    assert client_for(viewer).post(f"{HERE}settings/", {}).status_code == 403
    assert b"lets it through" in client_for(viewer).get(HERE).content
    server.environment = Server.Environment.STAGING
    server.save()
    assert change(asking, limit="90") == f"{HERE}orders/"
    server.environment = Server.Environment.PRODUCTION
    server.save()
    done = second.post(f"{HERE}settings/", {}, follow=True)
    assert b"published at once from now on" in done.content
    assert change(asking, seen="2", limit="80") == f"{HERE}orders/"
    told = Entry.objects.get(action="limits.settings", result="ok")
    assert told.after == {"second person": False}
