"""Jobs: one worker at a time, nothing lost and nothing done twice."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from dashboard.audit.models import Entry
from dashboard.jobs import Busy, engine, leases, start, testing
from dashboard.jobs.models import Job
from dashboard.jobs.outcomes import Left
from dashboard.servers.models import Server
from tests.dashboard.jobs import kinds

kinds.declare()


def values(data: redis.Redis, count: int) -> list[bytes | None]:
    return data.mget([f"n:{n}" for n in range(count)])


@pytest.fixture
def job(server: Server) -> Job:
    return start("anna", server, "test.add", kinds.units(23), scope=b"n:", total=23, reason="why")


def test_a_job_is_done_and_says_so(job: Job, data: redis.Redis) -> None:
    ended = testing.run(job)
    assert values(data, 23) == [b"1"] * 23
    assert (ended.state, ended.done, ended.share) == ("done", 23, 1.0)
    assert ended.nodes == {"node": {"done": 23, "failed": 0}}
    assert ended.commands >= 23 and ended.latency["before"] > 0
    assert not ended.is_held() and ended.intent is None
    assert [line.text for line in ended.lines.all()] == [
        "Done: 23 counters added", "All added", "Started", "Asked for by anna: why",
    ]  # fmt: skip
    outcome = Entry.objects.get(intent=ended.intent_entry)
    assert (outcome.actor, outcome.action, outcome.result) == ("anna", "test.add", "ok")
    assert outcome.after["done"] == 23


def test_failed_keys_are_counted_by_reason(server: Server) -> None:
    job = testing.run(start("anna", server, "test.add", kinds.units(7, bad="n:3"), total=7))
    assert (job.done, job.failed, job.reasons) == (6, 1, {"is bad": 1})
    assert [(one.name, one.why) for one in job.failures.all()] == [(b"n:3", "is bad")]


def test_jobs_on_overlapping_prefixes_exclude_each_other(job: Job, server: Server) -> None:
    for scope in (b"", b"n", b"n:", b"n:1"):
        with pytest.raises(Busy) as caught:
            start("ben", server, "test.add", kinds.units(1), scope=scope)
        assert caught.value.job == job
    start("ben", server, "test.add", kinds.units(1), scope=b"other:")


def test_two_workers_cannot_run_one_job(job: Job, data: redis.Redis) -> None:
    held = leases.claim(job.pk)
    assert held is not None
    assert engine.run(job.pk) == Left.NOTHING
    assert values(data, 1) == [None]


def test_one_that_was_away_too_long_writes_nothing(job: Job) -> None:
    slow = leases.claim(job.pk)
    assert slow is not None
    Job.objects.filter(pk=job.pk).update(lease_until=None)
    ended = testing.run(job)
    with pytest.raises(leases.LeaseLost):
        leases.write(slow, done=999)
    with pytest.raises(leases.LeaseLost):
        leases.release(slow, state="queued")
    job.refresh_from_db()
    assert (job.state, job.done) == (ended.state, 23) == ("done", 23)


def test_an_error_of_ours_fails_the_job_and_says_what_was_done(job: Job) -> None:
    testing.run(job, steps=1)
    Job.objects.filter(pk=job.pk).update(params={})
    with pytest.raises(KeyError):
        testing.run(job)
    job.refresh_from_db()
    assert (job.state, job.done, job.error) == ("failed", 5, "KeyError: 'units'")
    assert Entry.objects.get(intent=job.intent_entry).result == "failed"


def test_turns_go_on_where_the_one_before_ended(job: Job, data: redis.Redis) -> None:
    for done in (5, 10, 15):
        assert testing.run(job, steps=1).done == done
    assert testing.run(job).state == "done"
    assert values(data, 23) == [b"1"] * 23


def noted(job: Job) -> list[Any]:
    return list(job.lines.values_list("text", flat=True))
