"""Ended jobs are kept for a while, and never deleted while they still count."""

from __future__ import annotations

import datetime

import pytest
import redis
from django.conf import settings
from django.utils import timezone

from dashboard import undo
from dashboard.audit.models import Entry
from dashboard.celery import app
from dashboard.jobs import retention, start, tasks, testing
from dashboard.jobs.models import Failure, Job, Line
from dashboard.keys.bulk.models import KeyList
from dashboard.keys.transfer.models import Archive
from dashboard.servers.models import Server
from dashboard.undo.models import Removal
from tests.dashboard.jobs import kinds

kinds.declare()
pytestmark = pytest.mark.django_db


@pytest.fixture
def ended(server: Server, data: redis.Redis) -> Job:
    """A job with a log and a name that failed, which ended just now."""
    return testing.run(start("anna", server, "test.add", kinds.units(7, bad="n:3"), total=7))


def ages(job: Job, seconds: float = 1, **more: object) -> None:
    """Let its end be so long before the moment until when it is kept."""
    at = timezone.now() - datetime.timedelta(seconds=settings.JOBS_SECONDS + seconds)
    Job.objects.filter(pk=job.pk).update(ended=at, **more)


def another(server: Server, **more: object) -> Job:
    return Job.objects.create(server=server, kind="test.add", group="", title="Old", **more)


def test_a_job_goes_with_its_log_and_failed_names_and_the_audit_stays(ended: Job) -> None:
    assert Failure.objects.count() == 1 and Line.objects.count() > 0
    assert tasks.forget() == 0

    ages(ended)

    assert tasks.forget() == 1
    assert not Job.objects.exists()
    assert not Failure.objects.exists() and not Line.objects.exists()
    assert Entry.objects.filter(number=ended.intent_entry).exists()


@pytest.mark.parametrize("state", Job.UNFINISHED)
def test_one_that_is_not_at_its_end_is_kept_whatever_its_age(ended: Job, state: str) -> None:
    ages(ended, state=state)

    assert tasks.forget() == 0


def test_one_whose_removal_can_come_back_is_kept_until_it_cannot(ended: Job) -> None:
    ages(ended)
    removal = undo.begin("anna", ended.server, job=ended)
    assert tasks.forget() == 0

    Removal.objects.filter(pk=removal.pk).update(until=timezone.now())

    assert tasks.forget() == 1


def test_one_whose_list_or_file_is_there_is_kept(server: Server) -> None:
    key_list = KeyList.objects.create(server=server, source="selection", label="3 keys")
    archive = Archive.objects.create(server=server, use="export", format="lines", name="keys")
    for params in ({"list": key_list.pk}, {"archive": archive.pk}):
        ages(another(server, params=params, state=Job.State.DONE))
    assert tasks.forget() == 0

    key_list.delete()
    assert tasks.forget() == 1

    Archive.objects.update(until=timezone.now())
    assert tasks.forget() == 1


def test_those_that_still_count_are_not_in_the_way_of_the_others(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LOOKED_AT", 2)
    jobs = [another(server, state=Job.State.FAILED) for _ in range(7)]
    for job in jobs:
        ages(job)
    for job in jobs[:3]:
        undo.begin("anna", server, job=job)

    assert [retention.forget_ended(most=3), retention.forget_ended(), tasks.forget()] == [3, 1, 0]
    assert set(Job.objects.all()) == set(jobs[:3])


def test_one_that_was_resumed_after_it_was_found_is_kept(
    ended: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resumed(found: object) -> set[int]:
        Job.objects.update(state=Job.State.QUEUED, ended=None)
        return set()

    ages(ended, state=Job.State.FAILED)
    monkeypatch.setattr(retention, "_needed", [resumed])

    assert tasks.forget() == 0
    assert Line.objects.count() > 0


def test_beat_looks_after_it() -> None:
    assert "jobs.forget" in {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert settings.JOBS_SECONDS == 30 * 24 * 3600
