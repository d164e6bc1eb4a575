"""Bulk work that is cut off: by lost replies, by kill -9, by people, by a failover."""

from __future__ import annotations

import datetime
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from django.http import HttpRequest
from django.utils import timezone

from dashboard import jobs, undo
from dashboard.jobs import Busy, controls, engine, leases
from dashboard.jobs.models import Job
from dashboard.jobs.testing import run
from dashboard.keys.bulk import starting
from dashboard.keys.bulk.models import KeyList
from dashboard.servers import clients
from dashboard.servers.models import Server
from dashboard.undo.models import Removal
from tests.console import SET_UP, Console
from tests.dashboard.keys.bulk import (
    HOSTILE,
    PREFIX,
    asked,
    counted,
    dumps,
    fill,
    request_of,
    run_now,
)  # fmt: skip
from tests.faults.proxy import Proxy
from tests.redisops.counting import counted as spent_by
from tests.servers import Cluster, RedisProcess, Watched, until

__all__ = ["asked", "counted"]

Start = Callable[[HttpRequest, KeyList], Job]


@pytest.fixture
def proxy(target: RedisProcess, server: Server) -> Iterator[Proxy]:
    """A proxy between the console and ``server``."""
    with Proxy(target.port) as proxy:
        server.nodes = f"127.0.0.1:{proxy.port}"
        server.save()
        yield proxy
        clients.forget_all()


def at() -> datetime.datetime:
    return timezone.now() + datetime.timedelta(hours=2)


def renamed(key: bytes) -> bytes:
    return b"z:" + key[len(PREFIX) :]


CUTS: dict[str, tuple[Start, bytes, str]] = {
    "delete": (lambda r, k: starting.delete(r, k), b"EVALSHA\r", "unlink"),
    "expire": (lambda r, k: starting.expire(r, k, at=at(), jitter=9), b"PEXPIREAT", "pexpireat"),
    "persist": (lambda r, k: starting.persist(r, k), b"PERSIST", "persist"),
    "rename": (
        lambda r, k: starting.rename(r, k, old=PREFIX, new=b"z:"), b"RENAMENX", "renamenx",
    ),
}  # fmt: skip


def take_back(data: redis.Redis, what: str, key: bytes, before: tuple[bytes, int]) -> None:
    """Make it as if the server had not come to this key before the link was cut."""
    if what == "delete":
        data.restore(key, max(before[1], 0), before[0], absttl=before[1] > 0, replace=True)
    elif what == "expire":
        data.persist(key)
    elif what == "persist":
        data.expire(key, 600)
    elif data.exists(renamed(key)):
        data.rename(renamed(key), key)


@pytest.mark.parametrize("what", CUTS)
def test_after_a_lost_reply_only_what_was_not_done_is_done(
    counted: Any, asked: HttpRequest, data: redis.Redis, proxy: Proxy, what: str
) -> None:
    begin, match, command = CUTS[what]
    keys = [key for n, key in enumerate(HOSTILE) if what != "persist" or n % 2]
    fill(data, HOSTILE)
    before = dumps(data, keys)
    starting.delete(asked, counted(keys=[HOSTILE[-1]]))  # the scripts are loaded now
    run(Job.objects.get(kind="keys.delete"))
    fill(data, HOSTILE)
    before = dumps(data, keys)
    key_list = counted(keys=keys)
    job = begin(asked, key_list)
    proxy.mode("lose_reply", match=match, times=1)

    with spent_by(data) as spent:
        job = run(job)
        assert (job.state, job.done, job.intent is None) == ("running", 0, False)
        assert job.waits.startswith("Waiting for Shop")
        for key in keys[:5]:
            take_back(data, what, key, before[key])
        job = run_now(job)

    assert (job.state, job.done, job.failed) == ("done", len(keys), 0), job.reasons
    taken_back = 5 + (5 if (what, command) == ("persist", "persist") else 0)
    assert spent.calls[command] <= len(keys) + taken_back
    if what == "delete":
        removal = Removal.objects.latest("pk")
        assert (removal.kept, removal.offered) == (len(keys), len(keys))
        undo.restore(asked, removal)
        assert dumps(data, keys) == before


def test_a_copy_cut_off_is_not_repeated(
    counted: Any, owner: Any, data: redis.Redis, target: RedisProcess, server: Server
) -> None:
    fill(data, HOSTILE)
    with Proxy(target.port) as proxy, target.client(db=2) as there:
        other = Server.objects.create(name="Two", slug="two", nodes=f"127.0.0.1:{proxy.port}", db=2)
        job = starting.copy(request_of(owner), counted(prefix=PREFIX), target=other)
        proxy.mode("lose_reply", match=b"RESTORE", times=1)
        assert run(job).done == 0
        there.delete(*HOSTILE[:5])
        missing = len(HOSTILE) - there.dbsize()
        with spent_by(data) as spent:
            job = run_now(job)
        assert (job.done, job.failed) == (len(HOSTILE), 0)
        assert spent.calls["restore"] <= missing
        assert dumps(there, HOSTILE) == dumps(data, HOSTILE)
        clients.forget_all()


def test_a_copy_keeps_others_off_where_it_writes_and_is_resumed_by_who_may_write_there(
    counted: Any, asked: HttpRequest, owner: Any, data: redis.Redis, server: Server,
    client_for: Any, operator: Any,
) -> None:  # fmt: skip
    fill(data, HOSTILE)
    other = Server.objects.create(name="Two", slug="two", nodes=server.nodes, db=2)
    theirs = request_of(owner)
    job = starting.copy(theirs, counted(prefix=PREFIX), target=other, old=PREFIX, new=b"z:")
    for scope in (b"", b"z", b"z:1"):
        with pytest.raises(Busy) as caught:
            jobs.start(theirs, other, "keys.delete", {"label": "all"}, scope=scope)
        assert caught.value.job == job
    jobs.start(theirs, other, "keys.delete", {"label": "all"}, scope=PREFIX)

    controls.pause(theirs, job.pk)
    path = f"/servers/shop/jobs/{job.pk}/"
    page = client_for(operator).get(path)
    assert f"{path}cancel/" in page.text and f"{path}resume/" not in page.text
    assert client_for(operator).post(f"{path}resume/").status_code == 403
    assert client_for(owner).post(f"{path}resume/").status_code == 302


def test_a_copy_keeps_to_the_ceilings_of_the_server_it_writes_to(
    counted: Any, owner: Any, data: redis.Redis, server: Server
) -> None:
    fill(data, HOSTILE)
    other = Server.objects.create(
        name="Two", slug="two", nodes=server.nodes, db=2, load_commands=40, load_share=1.0
    )
    job = starting.copy(request_of(owner), counted(prefix=PREFIX), target=other, limit=500)
    held = leases.claim(job.pk)
    assert held is not None
    turn = engine.Run(held, sleep=lambda seconds: None, steps=None, raises=True)

    turn._look()

    assert (turn.pace.limit, turn.pace.share) == (40, 0.01)


def test_paused_and_cancelled_say_exactly_what_was_done(
    counted: Any, asked: HttpRequest, data: redis.Redis, server: Server
) -> None:
    keys = [b"many:%d" % n for n in range(3000)]
    fill(data, keys)
    job = starting.delete(asked, counted(prefix=b"many:"))

    job = run(job, steps=2)
    controls.pause(asked, job.pk)
    job = run(job)
    assert (job.state, job.done) == ("paused", 3000 - data.dbsize())
    assert 0 < job.done < 3000
    controls.resume(asked, job.pk)
    job = run(job, steps=1)
    controls.cancel(asked, job.pk)
    job.refresh_from_db()

    assert (job.state, job.done) == ("cancelled", 3000 - data.dbsize())
    assert Removal.objects.get().offered == job.done
    assert f"Cancelled by operator after {job.done:,} of 3,000 keys deleted" in [
        line.text for line in job.lines.all()
    ]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Three primaries of our own."""
    with Cluster() as cluster:
        yield cluster


def test_each_primary_of_a_cluster_is_told_apart(owner: Any, cluster: Cluster, db: None) -> None:
    nodes = ",".join(f"127.0.0.1:{node.port}" for node in cluster.nodes)
    server = Server.objects.create(name="Three", slug="three", kind="cluster", nodes=nodes)
    asked = request_of(owner)
    client = server.client()
    before = {}
    for n in range(90):
        client.set(b"cart:%d" % n, b"v%d" % n, px=600_000 if n % 2 else None)
        before[n] = client.dump(b"cart:%d" % n), client.pexpiretime(b"cart:%d" % n)
    there = {f"127.0.0.1:{node.port}": node.client().dbsize() for node in cluster.nodes}

    def count(prefix: bytes, **options: Any) -> KeyList:
        job = run(starting.list_keys(asked, server, prefix=prefix, **options))
        return KeyList.objects.select_related("server").get(pk=job.params["list"])

    key_list = count(b"cart:", rename=(b"cart:", b"z:"))
    assert key_list.facts["nodes"] == there
    renaming = run(starting.rename(asked, key_list, old=b"cart:", new=b"z:"))
    assert (renaming.done, renaming.failed) == (90, 0), renaming.reasons
    assert {
        n: (client.dump(b"z:%d" % n), client.pexpiretime(b"z:%d" % n)) for n in before
    } == before

    there = {f"127.0.0.1:{node.port}": node.client().dbsize() for node in cluster.nodes}
    job = run(starting.delete(asked, count(b"z:")))
    assert job.nodes == {name: {"done": keys, "failed": 0} for name, keys in there.items()}
    assert sum(node.client().dbsize() for node in cluster.nodes) == 0


def test_a_failover_in_the_middle_costs_no_key_and_no_undo(owner: Any, db: None) -> None:
    asked = request_of(owner)
    keys = [b"many:%d" % n for n in range(2500)]
    with Watched() as watched:
        sentinels = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in watched.sentinels)
        server = Server.objects.create(
            name="Shop", slug="shop", kind="sentinel", nodes=sentinels, service=watched.service
        )
        with watched.primary.client() as primary:
            fill(primary, keys)
            before = dumps(primary, keys)
            primary.wait(1, 5000)
        counting = run(starting.list_keys(asked, server, prefix=b"many:"))
        key_list = KeyList.objects.get(pk=counting.params["list"])
        job = run(starting.delete(asked, key_list), steps=2)
        assert 0 < job.done < 2500
        with watched.primary.client() as primary:
            primary.wait(1, 5000)

        watched.fail_over()
        until(lambda: run_now(job).state == Job.State.DONE, "the job did not go on", 20)

        job.refresh_from_db()
        with watched.replica.client() as primary:
            assert (job.done, job.failed, primary.dbsize()) == (2500, 0, 0), job.reasons
            undo.restore(asked, Removal.objects.latest("pk"))
            run(Job.objects.get(kind="undo.restore"))
            assert dumps(primary, keys) == before
        clients.forget_all()


BEGIN = """
from django.test import RequestFactory
from dashboard.accounts.models import User
from dashboard.jobs.testing import run
from dashboard.keys.bulk import starting
from dashboard.keys.bulk.models import KeyList
from dashboard.servers.models import Server
request = RequestFactory().post("/")
request.user = User.objects.get()
shop = Server.objects.get(slug="shop")
shop.load_share = 100
shop.save()
job = run(starting.list_keys(request, shop, prefix=b"many:"))
starting.delete(request, KeyList.objects.get(pk=job.params["list"]), limit=2_000)
"""
WORKER = (
    "celery", "-A", "dashboard", "worker", "--pool", "threads", "--concurrency", "1", "--beat",
    "-Q", "celery,jobs", "--loglevel", "warning",
)  # fmt: skip


def test_a_killed_workers_job_is_finished_by_another_each_key_once(
    home_process: RedisProcess, target: RedisProcess, data: redis.Redis
) -> None:
    keys = [b"many:%d" % n for n in range(1500)]
    fill(data, keys)
    console = Console(home_process.url, {"shop": target.url})
    try:
        console.run("-c", SET_UP + BEGIN)
        database = sqlite3.connect(console.data / "redisops.sqlite3", timeout=10)
        schedule = ("--schedule", str(console.data / "beat"))
        with spent_by(data) as spent:
            console.spawn("first", *WORKER, *schedule)
            until(lambda: data.dbsize() < 1400, console.log("first"), 40)
            console.processes["first"].kill()
            console.processes["first"].wait()
            assert data.dbsize() > 0
            # What 30 seconds would bring about: nobody holds the job any more.
            with database:
                database.execute("UPDATE jobs_job SET lease_until = NULL, sent_at = NULL")
            console.spawn("second", *WORKER, *schedule)
            query = "SELECT state, done, failed, skipped FROM jobs_job WHERE kind = 'keys.delete'"
            until(lambda: database.execute(query).fetchone()[0] == "done", "it is not done", 40)
            console.stop("second")

        assert database.execute(query).fetchone() == ("done", 1500, 0, 0)
        assert data.dbsize() == 0
        assert spent.calls["unlink"] == 1500
        [[offered]] = database.execute("SELECT offered FROM undo_removal")
        assert offered == 1500
        database.close()
    finally:
        console.remove()
