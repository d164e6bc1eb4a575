"""The pages of jobs: what they say in each state, who sees which brake, and what a brake does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis
from django.test import Client
from django.urls import reverse

from dashboard.accounts.models import User
from dashboard.audit.models import Entry
from dashboard.jobs import leases, marks, start, testing
from dashboard.jobs.models import Job
from dashboard.servers.models import Server
from tests.dashboard.conftest import assert_valid_html
from tests.dashboard.jobs import kinds

kinds.declare()
ClientFor = Callable[[User | None], Client]


@pytest.fixture(autouse=True)
def _marks_are_new() -> None:
    marks.forget()


@pytest.fixture
def job(server: Server, data: redis.Redis) -> Job:
    return start("anna", server, "test.add", kinds.units(40), scope=b"n:", total=40, reason="OPS-1")


def page(browser: Client, job: Job | None = None) -> str:
    url = job.get_absolute_url() if job else reverse("jobs:index", args=["shop"])
    response = browser.get(url)
    assert response.status_code == 200
    assert_valid_html(response)
    return response.content.decode()


def act(browser: Client, job: Job, what: str) -> str:
    url = reverse(f"jobs:{what}", args=["shop", job.pk])
    return browser.post(url, follow=True).content.decode()


def test_the_list_says_so_while_there_is_nothing(viewer: User, client_for: ClientFor) -> None:
    assert "No job has run here yet" in page(client_for(viewer))


def test_a_job_is_seen_in_every_state(job: Job, operator: User, client_for: ClientFor) -> None:
    browser = client_for(operator)
    assert "Waiting to start" in page(browser, job)
    testing.run(job, steps=2)
    marks.forget()
    told = page(browser, job)
    assert "of 40 counters added, 25%" in told and "OPS-1" in told and "Pause job" in told
    assert '<span class="n">25%</span>' in told  # the mark on the side
    testing.run(job)
    told = page(browser, job)
    assert "Nothing failed" in told and "Pause job" not in told
    listed = page(browser)
    assert "Add to 40 counters" in listed and "40 counters added" in listed


def test_pausing_resuming_and_cancelling(
    job: Job, operator: User, client_for: ClientFor, data: redis.Redis
) -> None:
    browser = client_for(operator)
    testing.run(job, steps=1)
    assert "Resume job" in act(browser, job, "pause")
    assert testing.run(job).state == "paused"
    rests = browser.get(job.get_absolute_url()).content.decode()
    assert "It rests until somebody resumes it." in rests and "the job goes on" not in rests
    act(browser, job, "resume")
    assert testing.run(job, steps=1).done == 10
    asked = browser.get(reverse("jobs:cancel", args=["shop", job.pk])).content.decode()
    assert "10 of 40 counters added so far" in asked
    told = act(browser, job, "cancel")
    assert "Cancelled" in told and "Resume job" not in told
    assert testing.run(job).done == 10 == len(data.keys("n:*"))
    assert Entry.objects.get(intent=job.intent_entry).reason.startswith("Cancelled by operator")
    assert [one.action for one in Entry.objects.filter(actor="operator").order_by("number")] == [
        "jobs.pause", "jobs.resume", "jobs.cancel",
    ]  # fmt: skip
    assert "Nothing was changed" in act(browser, job, "pause")


def test_what_a_worker_has_is_paused_by_the_worker(
    job: Job, operator: User, client_for: ClientFor
) -> None:
    assert leases.claim(job.pk) is not None
    assert "Pausing" in act(client_for(operator), job, "pause")
    job.refresh_from_db()
    assert (job.state, job.wanted, job.wanted_by) == ("queued", "pause", "operator")
    Job.objects.filter(pk=job.pk).update(lease_until=None)
    assert testing.run(job).state == "paused"


def test_a_viewer_sees_and_may_not_touch(job: Job, viewer: User, client_for: ClientFor) -> None:
    browser = client_for(viewer)
    assert "Pause job" not in page(browser, job)
    refused = browser.post(reverse("jobs:pause", args=["shop", job.pk]))
    assert refused.status_code == 403
    job.refresh_from_db()
    assert not job.wanted


def test_what_failed_is_told_by_reason_and_goes_on(
    server: Server, operator: User, client_for: ClientFor
) -> None:
    name = '<b>"n:3'
    job = start("anna", server, "test.add", kinds.units(10, bad="n:3"), total=10)
    testing.run(job, steps=1)
    job.failures.create(key=name.encode(), why="<i>bad</i>")
    Job.objects.filter(pk=job.pk).update(state="failed", error="NOPERM <b>no</b>")
    told = page(client_for(operator), job)
    assert "is bad" in told and "NOPERM &lt;b&gt;no" in told and "Resume job" in told
    act(client_for(operator), job, "resume")
    assert testing.run(job).state == "done"


def test_parts_are_those_of_the_page(job: Job, viewer: User, client_for: ClientFor) -> None:
    found = client_for(viewer).get(reverse("jobs:parts", args=["shop", job.pk])).json()["parts"]
    assert found["state"] == "queued" and "of 40 counters" in found["progress"]
