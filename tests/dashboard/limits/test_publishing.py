"""What people decided reaches Redis, comes back after a flush, and never goes back in version."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import redis
from django.test import Client
from django.utils import timezone

from dashboard.accounts.models import User
from dashboard.audit.models import Entry
from dashboard.limits.policies import current, seed
from dashboard.limits.policies.models import LimitPolicy
from dashboard.limits.publishing import asks_second, state, want
from dashboard.limits.publishing.models import Publication
from dashboard.limits.publishing.tasks import compare, reconcile
from dashboard.servers.models import Server
from redisops.limits.policies import Ban, Document, Policy
from tests.dashboard.limits.policies import HERE, kept
from tests.servers import RedisProcess

ClientFor = Callable[[User | None], Client]
KEY = "redisops:limits"


def there(data: redis.Redis) -> Document:
    return Document.loads(data.get(KEY))


def look(server: Server, home: RedisProcess) -> str:
    """What beat has done every five seconds; the lease of the look before is over."""
    with home.client() as plain:
        plain.flushall()
    found: str = compare(server.pk)
    return found


def test_a_change_is_announced(server: Server, data: redis.Redis) -> None:
    with data.pubsub() as listening:
        listening.subscribe("redisops:limits:changed")
        listening.get_message(timeout=20)
        kept(server)
        said = listening.get_message(timeout=20)
    assert said is not None and said["data"] == b"1"


def test_what_redis_lost_comes_back(
    server: Server, data: redis.Redis, home_process: RedisProcess
) -> None:
    kept(server)
    assert look(server, home_process) == "published"
    quiet = Entry.objects.count()
    assert look(server, home_process) == "published" and Entry.objects.count() == quiet

    data.flushall()
    assert state(server).kind == "missing"
    assert look(server, home_process) == "missing"

    assert there(data).version == 1 and state(server).kind == "published"
    row = Publication.objects.get()
    assert (row.mended, row.mended_why) == (1, "Redis had no policies")
    told = Entry.objects.filter(actor="publisher").order_by("number")
    assert [(one.action, one.result) for one in told] == [
        ("limits.publish", "intent"), ("limits.publish", "ok"),
    ]  # fmt: skip


@pytest.mark.parametrize("found", ["newer", "differs", "unreadable", "torn", "waiting"])
def test_something_else_in_redis_is_outdone_and_never_gone_back_behind(
    server: Server, data: redis.Redis, home_process: RedisProcess, found: str
) -> None:
    kept(server)
    kept(server, "second")
    other = (Policy("other", limit=1, period=1),)
    data.set(
        KEY,
        {
            "newer": Document(41, other).dumps(), "differs": Document(2, other).dumps(),
            "unreadable": b'{"format": 1, "version": 2, \xff', "waiting": Document(1).dumps(),
            "torn": b'{"format":9,"version":70,"new": \xff',
        }[found],
    )  # fmt: skip

    kind = "unreadable" if found == "torn" else found
    assert state(server).kind == kind and not state(server).is_well
    assert look(server, home_process) == kind

    assert {one.name for one in there(data).policies} == {"orders", "second"}
    assert there(data).version == {"newer": 42, "differs": 3, "torn": 71}.get(found, 2)
    assert state(server).kind == "published"
    assert Publication.objects.get().version == there(data).version


def test_a_document_that_another_version_wrote_down_is_written_anew(
    server: Server, data: redis.Redis, home_process: RedisProcess
) -> None:
    kept(server)
    other = Publication.objects.get().text.replace('"digest":"', '"digest":"0')
    Publication.objects.update(text=other)
    data.set(KEY, other)
    assert look(server, home_process) == "unreadable"
    assert state(server).kind == "published" and there(data).version == 2


def test_a_save_outdoes_a_newer_document_by_itself(server: Server, data: redis.Redis) -> None:
    data.set(KEY, Document(99).dumps())
    kept(server)
    assert there(data).version == 100 and len(there(data).policies) == 1


def test_every_server_with_policies_is_compared_once_by_whoever_asks(
    server: Server, data: redis.Redis, monkeypatch: pytest.MonkeyPatch, home_process: RedisProcess
) -> None:
    Server.objects.create(name="Without", slug="without", nodes="127.0.0.1:1")
    kept(server)
    asked: list[int] = []
    monkeypatch.setattr(compare, "apply_async", lambda args, **_: asked.extend(args))
    assert reconcile() == 1 and asked == [server.pk]
    data.flushall()
    assert look(server, home_process) == "missing"
    data.flushall()
    assert compare(server.pk) == ""  # another worker has just looked
    server.stopped_at = timezone.now()
    server.save()
    assert reconcile() == 0 and compare(server.pk) == ""


def test_trouble_is_kept_with_its_beginning_and_a_failing_write_is_tried_seldom(
    server: Server, data: redis.Redis, target: RedisProcess, home_process: RedisProcess
) -> None:
    kept(server)
    rights = ("ON", ">pw", "~*", "&*", "+@read", "+@connection")
    data.execute_command("ACL", "SETUSER", "narrow", *rights)
    server.username = "narrow"
    server.set_secret("password", "pw")
    server.save()
    data.delete(KEY)
    assert look(server, home_process) == "missing"
    row = Publication.objects.get()
    assert row.failures == 1 and "'eval'" in row.trouble
    written = Entry.objects.count()
    since = row.trouble_since
    assert look(server, home_process) == "missing"
    row.refresh_from_db()
    assert Entry.objects.count() == written and row.trouble_since == since
    server.username = ""
    server.set_secret("password", "")
    server.save()
    Publication.objects.update(failed_at=timezone.now() - timezone.timedelta(minutes=10))
    look(server, home_process)
    row.refresh_from_db()
    assert (row.trouble, row.failures, row.trouble_since) == ("", 0, None)
    assert state(server).kind == "published"


def test_publishing_by_hand_says_what_came_of_it(
    server: Server, data: redis.Redis, operator: User, viewer: User, client_for: ClientFor
) -> None:
    page = f"{HERE}publish/"
    assert b"nothing to publish" in client_for(operator).post(page, follow=True).content
    kept(server)
    data.flushall()
    shown = client_for(viewer).get(HERE).content
    assert b"Redis has no policies" in shown and b"Publish now" not in shown
    assert client_for(viewer).post(page).status_code == 403
    assert client_for(operator).get(page).status_code == 405
    done = client_for(operator).post(page, follow=True).content
    assert b"Published as document 1" in done and there(data).version == 1


def test_a_version_that_none_can_be_above_is_said_with_what_to_do(
    server: Server, owner: User, data: redis.Redis, home_process: RedisProcess,
    client_for: ClientFor,
) -> None:  # fmt: skip
    kept(server)
    data.set(KEY, Document(2**53 - 1).dumps())

    found = look(server, home_process)
    answer = client_for(owner).post(f"{HERE}publish/", follow=True)

    assert found == "newer"
    assert b"remove the key redisops:limits there." in answer.content
    assert "remove the key" in Publication.objects.get(server=server).trouble
    data.delete(KEY)
    client_for(owner).post(f"{HERE}publish/")
    assert state(server).is_well


def test_policies_are_seeded_once_and_stay_peoples_own(server: Server, data: redis.Redis) -> None:
    policies = [Policy("console-api", limit=600, period=60), Policy("other", limit=1, period=1)]
    assert seed(server, policies, "first start") == ["console-api", "other"]
    assert not data.exists(KEY) and Publication.objects.get().version == 1
    row = LimitPolicy.objects.get(name="other")
    row.archived = timezone.now()
    row.save()
    assert seed(server, policies, "second start") == []
    assert [one.name for one in current(server)] == ["console-api"]


def test_on_a_cluster_all_limits_share_a_slot_and_a_document_too_large_is_refused(
    server: Server,
) -> None:
    kept(server)
    assert Document.loads(want(server).text.encode()).tag == ""
    server.kind = "cluster"
    assert Document.loads(want(server).text.encode()).tag == "redisops"
    assert not asks_second(server)
    bans = [dataclasses.asdict(Ban("s" * 900 + str(n), 1e9)) for n in range(990)]
    for number in range(3):
        row = LimitPolicy.objects.create(server=server, name=f"big{number}", body={})
        row.body = {**LimitPolicy.objects.get(name="orders").body, "banned": bans}
        row.save()
    with pytest.raises(ValueError, match="is most"):
        want(server)
