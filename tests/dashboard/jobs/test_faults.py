"""Jobs when it goes wrong: a killed worker, a server that is away, the switch, two at once."""

from __future__ import annotations

import contextlib
import datetime
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from dashboard.audit.models import Entry
from dashboard.jobs import engine, leases, start, tasks, telling, testing
from dashboard.jobs.models import Job
from dashboard.jobs.outcomes import Left
from dashboard.servers import clients
from dashboard.servers.models import Server
from tests.dashboard.jobs import kinds
from tests.servers import RedisProcess

kinds.declare()
ROOT = Path(__file__).parents[3]
WORKER = """
import sys
import django
django.setup()
from tests.dashboard.jobs import kinds
kinds.declare()
from dashboard.jobs import engine
print(engine.run(int(sys.argv[1])).name)
"""


@pytest.fixture
def job(server: Server) -> Job:
    return start("anna", server, "test.add", kinds.units(23), scope=b"n:", total=23)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The jobs that workers were told of, instead of a queue."""
    found: list[int] = []
    monkeypatch.setattr(telling, "worker", lambda pk: found.append(pk) or True)
    return found


def sqlite(path: Path) -> contextlib.closing[sqlite3.Connection]:
    return contextlib.closing(sqlite3.connect(path))


def counters(data: redis.Redis, count: int = 23) -> list[bytes | None]:
    return data.mget([f"n:{n}" for n in range(count)])


def worker(database: Path, job: Job, **more: str) -> subprocess.CompletedProcess[str]:
    """A real worker's process, until it ends or is killed."""
    named = {
        "DJANGO_SETTINGS_MODULE": "dashboard.settings",
        "DATABASE_URL": f"sqlite:///{database}",
    }
    environment = {**os.environ, **named, **more}
    command = [sys.executable, "-c", WORKER, str(job.pk)]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )


@pytest.mark.django_db(transaction=True)
def test_kill_9_in_the_middle_of_a_step_loses_and_doubles_nothing(
    server: Server, data: redis.Redis, tmp_path: Path, told: list[int],
) -> None:  # fmt: skip
    """The effect has happened and nothing of it was committed: the next worker looks."""
    job = start("anna", server, "test.add", kinds.units(23, die_at=10), scope=b"n:", total=23)
    database = tmp_path / "jobs.sqlite3"
    with connection.cursor() as cursor:
        # A copy of the test's database that another process can open.
        cursor.execute(f"VACUUM INTO '{database}'")
    killed = worker(database, job)
    assert killed.returncode == -9, killed.stderr
    assert counters(data) == [b"1"] * 15 + [None] * 8

    with sqlite(database) as rows:
        rows.execute("UPDATE jobs_job SET lease_until = '2020-01-01 00:00:00'")
        rows.commit()
    ended = worker(database, job, SURVIVE="1")
    assert ended.stdout.endswith("ENDED\n"), ended.stderr
    assert counters(data) == [b"1"] * 23
    with sqlite(database) as rows:
        assert rows.execute("SELECT state, done FROM jobs_job").fetchall() == [("done", 23)]
        lines = [text for (text,) in rows.execute("SELECT text FROM jobs_line ORDER BY id")]
    assert "Looked after what was cut off" in lines
    assert any("worker had ended without a word" in line for line in lines)


def test_a_job_nobody_has_is_told_of_again(
    job: Job, told: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def revived(**values: object) -> list[int]:
        Job.objects.filter(pk=job.pk).update(**values)
        told.clear()
        tasks.revive()
        return list(told)

    now = timezone.now()
    later = now + datetime.timedelta(seconds=60)
    assert revived(sent_at=None) == [job.pk]
    assert revived(sent_at=now) == []  # a worker was told just now
    assert revived(sent_at=None, lease_until=later) == []  # a worker has it
    assert revived(lease_until=now) == [job.pk]  # its worker is gone
    assert revived(lease_until=None, due=later) == []  # it waits
    assert revived(due=None, state="paused") == []
    # Without a worker for jobs the queue would only grow.
    monkeypatch.setattr(telling, "waiting", lambda: tasks.ENOUGH)
    assert revived(state="running") == []
    monkeypatch.undo()
    monkeypatch.setattr(telling, "worker", lambda pk: told.append(pk) or True)
    Server.objects.update(stopped_at=now)
    assert revived(state="running") == []
    assert revived(wanted="cancel") == [job.pk]


def test_it_waits_while_redis_is_away_and_goes_on(
    job: Job, target: RedisProcess, told: list[int]
) -> None:
    assert testing.run(job, steps=2).done == 10
    with target.client() as plain:
        before = plain.mget([f"n:{n}" for n in range(10)])
    assert before == [b"1"] * 10
    target.kill()
    begun = timezone.now()
    try:
        clients.forget_all()
        assert engine.run(job.pk, sleep=lambda seconds: None) == Left.WAITING
        job.refresh_from_db()
        assert (
            job.state == "running" and job.tries == 1 and job.waits.startswith("Waiting for Shop")
        )
        assert job.due and job.due > begun
        assert not job.is_held()
    finally:
        target.start()
    clients.forget_all()
    Job.objects.filter(pk=job.pk).update(due=None)
    ended = testing.run(job)
    assert (ended.state, ended.done, ended.waits, ended.tries) == ("done", 23, "", 0)
    assert "Goes on" in [line.text for line in ended.lines.all()]


def fail(why: str) -> None:
    raise OperationalError(why)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_commit_that_fails_or_whose_reply_is_lost_counts_once(
    server: Server, told: list[int], monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """SQL fails at the end of the last step's transaction, or right after it was committed."""
    job = start("anna", server, "test.add", kinds.units(7, bad="n:3"), scope=b"n:", total=7)
    write, cut = leases.write, []

    def cut_off(held: Job, **values: Any) -> None:
        write(held, **values)
        if values.get("state") == "done" and not cut:
            cut.append(held)
            if when == "before":
                fail("the disk is full")
            transaction.on_commit(lambda: fail("the connection is lost"))

    monkeypatch.setattr(leases, "write", cut_off)
    ended = testing.run(job)

    assert cut and (ended.state, ended.done, ended.failed) == ("done", 6, 1)
    assert (ended.failures.count(), Entry.objects.filter(intent=job.intent_entry).count()) == (1, 1)
    lines = [line.text for line in ended.lines.all()]
    assert lines.count("All added") == 1
    assert "Done: 6 of 7 counters added, 1 failed" in lines


def test_the_switch_holds_it_and_it_goes_on_by_itself(
    job: Job, server: Server, data: redis.Redis, told: list[int]
) -> None:
    testing.run(job, steps=1)
    Server.objects.filter(pk=server.pk).update(stopped_at=timezone.now(), stopped_by="ben")
    held = testing.run(job)
    assert held.done == 5 and "stopped by ben" in held.waits
    assert tasks.revive() == 0
    Server.objects.filter(pk=server.pk).update(stopped_at=None)
    assert tasks.revive() == 1 and told == [job.pk]
    assert testing.run(job).state == "done"


def test_a_cancel_waits_for_nobody_and_says_what_is_not_known(
    job: Job, target: RedisProcess
) -> None:
    testing.run(job, steps=1)
    Job.objects.filter(pk=job.pk).update(
        intent={"names": ["n:5"]}, wanted="cancel", wanted_by="ben"
    )
    target.kill()
    try:
        clients.forget_all()
        ended = testing.run(job)
    finally:
        target.start()
    assert ended.state == "cancelled"
    outcome = Entry.objects.get(intent=job.intent_entry)
    assert outcome.result == "unknown" and "not known" in outcome.reason


def test_a_long_rest_ends_when_somebody_wants_it_to(job: Job, server: Server) -> None:
    """At one command a second the first PINGs take 20 s; the wish is seen in the first rest."""
    Job.objects.filter(pk=job.pk).update(limit=1.0)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        Job.objects.filter(pk=job.pk).update(wanted="pause", wanted_by="ben")

    assert engine.run(job.pk, sleep=sleep) == Left.PAUSED
    assert slept and sum(slept) < 2
    job.refresh_from_db()
    assert job.state == "paused" and job.done == 0
