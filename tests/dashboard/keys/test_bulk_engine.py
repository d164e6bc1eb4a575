"""Bulk work on real data: lists are frozen, each key is done once, and what was done is said."""

from __future__ import annotations

import contextlib
import datetime
import tracemalloc
from collections.abc import Iterator

import pytest
import redis
from django.utils import timezone

from dashboard import jobs, undo
from dashboard.accounts.models import OwnedPrefix, Team
from dashboard.jobs.kinds import kind_of
from dashboard.jobs.models import Job
from dashboard.jobs.testing import run
from dashboard.keys.bulk import keeping, starting
from dashboard.keys.bulk.freezing import Seen
from dashboard.keys.bulk.models import KeyList
from dashboard.keys.bulk.starting import Refused
from dashboard.servers.models import Server
from dashboard.undo.models import Removal
from redisops.connection import parse_url
from redisops.keys import from_url
from tests.dashboard.keys.bulk import (
    HOSTILE,
    PREFIX,
    asked,
    counted,
    dumps,
    fill,
    names_of,
    request_of,
    run_now,
)  # fmt: skip
from tests.hostile import NAMES
from tests.servers import RedisProcess, busy, full, restricted

__all__ = ["asked", "counted"]


@contextlib.contextmanager
def read_only(server: RedisProcess) -> Iterator[None]:
    """The server is a replica inside the block: writes answer READONLY."""
    with server.client() as client:
        client.replicaof("127.0.0.1", "1")
        try:
            yield
        finally:
            client.replicaof("NO", "ONE")


# --- Lists ----------------------------------------------------------------------------------


def test_a_list_holds_each_matching_key_once_and_stays_as_it_is(counted, data, server):
    fill(data, [*HOSTILE, b"other", b"carts"])
    data.set(server.protected_prefix + b"x", 1)

    key_list = counted(prefix=PREFIX)
    data.set(b"cart:later", 1)

    assert names_of(key_list) == set(HOSTILE)
    assert key_list.is_fresh
    assert key_list.facts["types"] == {"string": len(HOSTILE)}
    assert key_list.facts["expiry"] == {"none": -(-len(HOSTILE) // 2), "hour": len(HOSTILE) // 2}
    everything = counted(match=b"*")
    assert (everything.protected, server.protected_prefix + b"x" in names_of(everything)) == (
        1,
        False,
    )


@pytest.mark.parametrize("what", [{}, {"match": b""}, {"prefix": b""}, {"keys": []}])
def test_nothing_said_is_refused_and_never_means_everything(asked, server, what):
    with pytest.raises(Refused, match="does not mean all"):
        starting.list_keys(asked, server, **what)

    assert not KeyList.objects.exists()


def test_filters_by_type_expiry_and_size(counted, data):
    data.set("f:short", "x")
    data.set("f:long", "x" * 5000, ex=1000)
    data.hset("f:hash", "a", 1)

    assert names_of(counted(prefix=b"f:", type="hash")) == {b"f:hash"}
    assert names_of(counted(match=b"f:*", ttl="none")) == {b"f:short", b"f:hash"}
    assert names_of(counted(match=b"f:*", ttl="<2000")) == {b"f:long"}
    assert names_of(counted(match=b"f:*", smallest=4000)) == {b"f:long"}
    assert names_of(counted(match=b"f:*", size="<4097", idle="<3600")) == {b"f:short", b"f:hash"}
    assert names_of(counted(match=b"f:*", size=">=4097", ttl="60-3600")) == {b"f:long"}
    assert names_of(counted(match=b"f:*", idle=">=3600")) == set()
    assert names_of(counted(match=b"f:long")) == {b"f:long"}


def test_what_is_unlike_the_rest_is_told(counted, data, server, operator):
    pipe = data.pipeline(transaction=False)
    for n in range(2500):
        pipe.hset(f"cart:eu:{n}", "user", n)
    pipe.rpush("cart:events", *[b"x" * 1000] * 4000)
    pipe.set("cart-archive:1", 1)
    pipe.execute()
    theirs = Team.objects.create(name="Payments")
    OwnedPrefix.objects.create(team=theirs, prefix="cart:eu:24")

    key_list = counted(match=b"cart*")
    told = key_list.facts

    assert (key_list.total, told["one_in"]) == (2502, 2)
    assert [from_url(row["key"]) for row in told["odd_size"]] == [b"cart:events"]
    assert {from_url(row["key"]) for row in told["odd_type"]} == {b"cart:events", b"cart-archive:1"}
    assert told["beyond"] == {"keys": 1, "folders": [["cart-archive:", 1]]}
    assert told["owned"] == [
        {"team": "Payments", "prefix": "cart:eu:24", "keys": 111, "own": False}
    ]
    assert told["idle"]["day"] == told["idle"]["known"] == told["measured"]
    assert len(told["samples"]) == 50
    exact = sum(data.memory_usage(key) for key in data.scan_iter("cart*"))
    assert abs(key_list.memory - exact) <= key_list.margin + exact * 0.01


def test_what_was_left_out_by_hand_is_not_touched(counted, asked, data):
    fill(data, HOSTILE)
    key_list = counted(prefix=PREFIX)
    key_list.leave_out([HOSTILE[3], b"not in it"])

    job = run(starting.delete(asked, key_list))

    assert (key_list.acting, job.done, job.total) == (len(HOSTILE) - 1,) * 3
    assert data.keys("cart:*") == [HOSTILE[3]]


def test_a_list_is_good_for_15_minutes_and_kept_an_hour(counted, asked, data):
    fill(data, HOSTILE[:3])
    key_list = counted(prefix=PREFIX)
    long_ago = timezone.now() - datetime.timedelta(minutes=16)
    KeyList.objects.update(counted=long_ago)
    key_list.refresh_from_db()

    with pytest.raises(Refused, match="older than 15 minutes"):
        starting.delete(asked, key_list)
    again = run(starting.count_again(asked, key_list))
    KeyList.objects.filter(pk=key_list.pk).update(used=long_ago - datetime.timedelta(hours=1))
    KeyList.forget_unused()

    assert [row.pk for row in KeyList.objects.all()] == [again.params["list"]]
    assert KeyList.objects.get().total == 3
    assert KeyList.objects.get().is_fresh


# --- Actions --------------------------------------------------------------------------------


def test_deleted_keys_come_back_byte_for_byte_with_their_expiry(counted, asked, data, server):
    fill(data, [*HOSTILE, b"other"])
    before = dumps(data, HOSTILE)

    job = run(starting.delete(asked, counted(prefix=PREFIX), why="OPS-1"))

    assert (job.state, job.done, job.failed, job.skipped) == ("done", len(HOSTILE), 0, 0)
    assert data.keys() == [b"other"]
    removal = Removal.objects.get()
    assert (removal.offered, removal.why, removal.job) == (len(HOSTILE), "OPS-1", job.pk)
    undo.restore(asked, removal)
    assert dumps(data, HOSTILE) == before


def test_delete_without_undo_keeps_nothing(counted, asked, data):
    fill(data, HOSTILE)

    job = run(starting.delete(asked, counted(prefix=PREFIX), undo=False))

    assert (job.done, data.dbsize(), Removal.objects.count()) == (len(HOSTILE), 0, 0)


def test_keys_that_went_or_changed_since_are_told(counted, asked, data):
    fill(data, HOSTILE)
    key_list = counted(prefix=PREFIX)
    data.delete(*HOSTILE[:5])

    job = run(starting.delete(asked, key_list))

    assert (job.done, job.skipped, job.total) == (len(HOSTILE) - 5, 5, len(HOSTILE))


def test_expiry_is_absolute_and_spread_as_the_job_said(counted, asked, data):
    fill(data, HOSTILE)
    at = timezone.now() + datetime.timedelta(hours=2)

    job = run(starting.expire(asked, counted(prefix=PREFIX), at=at, jitter=60))

    times = {data.pexpiretime(key) for key in HOSTILE}
    first = int(at.timestamp() * 1000)
    assert job.done == len(HOSTILE)
    assert min(times) >= first and max(times) <= first + 60_000
    assert len(times) > len(HOSTILE) // 2
    with pytest.raises(Refused, match="past"):
        starting.expire(asked, counted(prefix=PREFIX), at=timezone.now())


def test_persist_counts_only_what_had_an_expiry(counted, asked, data):
    fill(data, HOSTILE)

    job = run(starting.persist(asked, counted(prefix=PREFIX)))

    assert (job.done, job.skipped) == (len(HOSTILE) // 2, -(-len(HOSTILE) // 2))
    assert all(data.ttl(key) == -1 for key in HOSTILE)


@pytest.mark.parametrize(("old", "new"), [(b"a:", b"a:b:"), (b"a:b:", b"a:"), (b"a:", b"z")])
def test_a_renamed_prefix_does_not_loop_and_loses_nothing(counted, asked, data, old, new):
    keys = [old + rest + tail for rest in (b"", b"b:", b"b:b:") for tail in (b"", b"1", b"\xff*")]
    fill(data, keys)
    before = dumps(data, keys)

    job = run(starting.rename(asked, counted(prefix=old), old=old, new=new))

    assert (job.done, job.failed, job.skipped) == (len(keys), 0, 0)
    renamed = {key: new + key[len(old) :] for key in keys}
    assert set(data.keys()) == set(renamed.values())
    assert dumps(data, list(renamed.values())) == {renamed[key]: before[key] for key in keys}


@pytest.mark.parametrize("conflict", ["skip", "replace"])
def test_taken_names_are_told_first_and_kept_or_left(counted, asked, data, conflict):
    data.mset({"a:1": "mine", "a:2": "mine", "z:1": "theirs"})
    key_list = counted(prefix=b"a:", rename=(b"a:", b"z:"))

    job = run(starting.rename(asked, key_list, old=b"a:", new=b"z:", conflict=conflict))

    assert key_list.facts["rename"]["taken"] == 1
    assert [from_url(key) for key in key_list.facts["rename"]["taken_keys"]] == [b"a:1"]
    if conflict == "skip":
        assert (job.done, job.skipped, data.get("z:1"), data.get("a:1")) == (
            1,
            1,
            b"theirs",
            b"mine",
        )
        return
    assert (job.done, data.get("z:1"), data.exists("a:1")) == (2, b"mine", 0)
    assert Removal.objects.get().offered == 1


def test_what_is_written_at_a_new_name_meanwhile_is_not_replaced(counted, asked, data, monkeypatch):
    """Somebody writes between the keeping and the renaming: their value is in no bin: it stays."""
    data.mset({"a:1": "mine", "a:2": "mine", "a:3": "mine", "z:1": "kept", "z:3": "kept"})
    kept = keeping.take

    def then_written(*args):
        found = kept(*args)
        data.mset({"z:1": "newer", "z:2": "new"})
        return found

    monkeypatch.setattr(keeping, "take", then_written)
    key_list = counted(prefix=b"a:")
    job = run(starting.rename(asked, key_list, old=b"a:", new=b"z:", conflict="replace"))

    assert data.mget("z:1", "z:2", "z:3") == [b"newer", b"new", b"mine"]
    assert (job.done, job.skipped, data.exists("a:1", "a:2", "a:3")) == (1, 2, 2)
    removal = Removal.objects.get()
    assert (removal.kept, removal.offered) == (2, 1)


@pytest.mark.parametrize("conflict", ["skip", "replace"])
def test_copies_hold_the_same_for_as_long(counted, asked, data, server, owner, conflict):
    fill(data, HOSTILE)
    other = Server.objects.create(name="Two", slug="two", nodes=server.nodes, db=2)
    with redis.Redis(port=int(server.nodes.split(":")[1]), db=2) as there:
        there.set(HOSTILE[0], "theirs")
        job = run(
            starting.copy(
                request_of(owner), counted(prefix=PREFIX), target=other, conflict=conflict
            )
        )

        taken = 0 if conflict == "replace" else 1
        assert (job.done, job.skipped) == (len(HOSTILE) - taken, taken)
        assert dumps(there, HOSTILE[1:]) == dumps(data, HOSTILE[1:])
        assert (there.get(HOSTILE[0]) == b"theirs") == bool(taken)
    assert [row.server for row in Removal.objects.filter(offered__gt=0)] == [other] * (1 - taken)
    with pytest.raises(Refused, match="may not"):
        starting.copy(asked, counted(prefix=PREFIX), target=other)


def test_work_on_overlapping_prefixes_is_refused(counted, asked, data):
    fill(data, [b"a:b:1", b"a:c:1", b"z:1"])
    lists = {name: counted(prefix=name) for name in (b"a:", b"a:b:", b"a:c:", b"z:")}

    starting.persist(asked, lists[b"a:b:"])

    for overlapping in (b"a:b:", b"a:"):
        with pytest.raises(jobs.Busy):
            starting.delete(asked, lists[overlapping])
    with pytest.raises(jobs.Busy):
        starting.rename(asked, lists[b"z:"], old=b"z:", new=b"a:b:z:")
    starting.delete(asked, lists[b"a:c:"])


# --- Refusals -------------------------------------------------------------------------------


def test_what_the_server_refuses_for_a_key_is_counted_and_the_rest_is_done(
    counted, asked, data, server, target: RedisProcess
):
    keys = [b"cart:open:" + name for name in NAMES]
    fill(data, [*keys, b"cart:locked"])
    key_list = counted(prefix=PREFIX)
    act_as(server, restricted(target, "+@all", "~cart:open:*"))

    job = run(starting.delete(asked, key_list))

    assert (job.done, job.failed) == (len(keys), 1)
    assert "NOPERM" in next(iter(job.reasons))
    assert [failure.name for failure in job.failures.all()] == [b"cart:locked"]
    assert data.keys() == [b"cart:locked"]


def act_as(server: Server, url: str) -> None:
    """Let the console use the ACL user of ``url`` on the server."""
    server.username = str(parse_url(url).username)
    server.set_secret("password", "secret-42")
    server.save()


def test_a_right_that_lacks_for_all_keys_ends_the_job_and_is_named(
    counted, asked, data, server, target: RedisProcess
):
    fill(data, HOSTILE)
    key_list = counted(prefix=PREFIX)
    act_as(server, restricted(target, "+@all", "-persist", "~*"))

    job = starting.persist(asked, key_list)
    with pytest.raises(redis.exceptions.NoPermissionError, match="persist"):
        run(job)

    job.refresh_from_db()
    assert (job.state, job.done, "persist" in job.error) == ("failed", 0, True)


@pytest.mark.parametrize("trouble", [busy, read_only])
def test_trouble_of_the_server_is_waited_for(counted, asked, data, target, trouble):
    fill(data, HOSTILE)
    job = starting.delete(asked, counted(prefix=PREFIX))
    run(job, steps=1)

    with trouble(target):
        assert run(job).waits.startswith("Waiting for Shop")
    job = run_now(job)

    assert (job.state, job.done, job.failed, data.dbsize()) == ("done", len(HOSTILE), 0, 0)


def test_a_list_too_long_is_refused_with_a_sentence(asked, data, server, monkeypatch):
    fill(data, HOSTILE)
    monkeypatch.setattr(kind_of("keys.list"), "most", 10)

    job = run(starting.list_keys(asked, server, prefix=PREFIX))

    key_list = KeyList.objects.get(pk=job.params["list"])
    assert (key_list.state, key_list.chunks.count()) == ("refused", 0)
    assert key_list.problem.startswith("More than 10 keys match. Narrow it")
    with pytest.raises(Refused, match="not been counted"):
        starting.delete(asked, key_list)


def test_repeated_keys_are_seen_in_eight_bytes_each():
    seen, keys = Seen(), [b"key:%d" % n for n in range(10_000)]

    tracemalloc.start()
    fresh = seen.fresh([*keys, *keys])
    again = seen.fresh(reversed(keys))
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()

    assert (fresh, again, seen.count) == (keys, [], 10_000)
    assert kept < 10_000 * 8 * 5  # the table is at most 3/4 empty, and the answer


def test_a_list_goes_on_in_another_process_without_a_key_twice(asked, data, server):
    keys = [b"many:%d" % n for n in range(6000)]
    fill(data, keys)
    job = starting.list_keys(asked, server, prefix=b"many:")
    kind = kind_of("keys.list")

    while (job := run(job, steps=1)).state != Job.State.DONE:
        kind._writers.clear()

    assert names_of(KeyList.objects.get(pk=job.params["list"])) == set(keys)


def test_a_full_server_lets_delete_and_a_copy_waits_until_there_is_room(
    counted, asked, data, owner, server, target
):
    fill(data, [*HOSTILE, b"old:1"])
    other = Server.objects.create(name="Two", slug="two", nodes=server.nodes, db=2)
    key_list, old = counted(prefix=PREFIX), counted(prefix=b"old:")
    full(target)

    assert run(starting.delete(asked, old)).done == 1
    job = run(starting.copy(request_of(owner), key_list, target=other))
    assert (job.state, job.done) == ("running", 0)
    assert job.waits.startswith("Waiting for Shop")
    data.config_set("maxmemory", 0)
    job = run_now(job)

    assert (job.state, job.done, job.failed) == ("done", len(HOSTILE), 0)


def test_a_selection_is_counted_again_without_opening_its_names(counted, asked, data):
    fill(data, HOSTILE[:3])
    key_list = counted(keys=[*HOSTILE[:3], b"gone"])
    before = [bytes(row) for row in key_list.chunks.values_list("packed", flat=True)]

    run(starting.count_again(asked, key_list))

    again = KeyList.objects.latest("pk")
    assert again.pk != key_list.pk and again.is_ready
    assert [bytes(row) for row in again.chunks.values_list("packed", flat=True)] == before
    assert again.facts["scanned"] == key_list.facts["scanned"]
