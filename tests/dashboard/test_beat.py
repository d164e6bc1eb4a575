"""Beat without a worker: home does not fill up, and goes on once a worker is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings

from dashboard.beat import ENOUGH, Scheduler
from dashboard.celery import app
from tests.servers import RedisProcess

QUEUE = f"{settings.HOME_PREFIX}celery:{app.conf.task_default_queue}"


@pytest.fixture
def home(home_process: RedisProcess) -> Iterator[redis.Redis]:
    with home_process.client() as plain:
        yield plain


@pytest.fixture
def beat(tmp_path: Path) -> Iterator[Scheduler]:
    scheduler = Scheduler(app=app, schedule_filename=str(tmp_path / "schedule"))
    yield scheduler
    scheduler.close()
    scheduler.connection.close()


def usual(beat: Scheduler) -> tuple[str, Any]:
    """The first entry for the usual queue: the schedule has no order, and some have their own."""
    return next(pair for pair in beat.schedule.items() if "queue" not in pair[1].options)


def send(beat: Scheduler, times: int) -> None:
    _, entry = usual(beat)
    for _ in range(times):
        beat.apply_entry(entry, producer=beat.producer)


def test_beat_is_the_one_that_is_run() -> None:
    assert app.conf.beat_scheduler == "dashboard.beat:Scheduler"


def test_without_a_worker_the_queue_stays_short(beat: Scheduler, home: redis.Redis) -> None:
    send(beat, 2 * ENOUGH)

    assert home.llen(QUEUE) == ENOUGH


def test_it_goes_on_when_a_worker_has_taken_some(beat: Scheduler, home: redis.Redis) -> None:
    send(beat, 2 * ENOUGH)
    home.ltrim(QUEUE, 5, -1)
    send(beat, 10)

    assert home.llen(QUEUE) == ENOUGH
    assert beat.is_full


def test_what_is_left_out_is_due_again_at_its_next_time(beat: Scheduler, home: redis.Redis) -> None:
    send(beat, ENOUGH)
    name, entry = usual(beat)
    beat.apply_async(entry, producer=beat.producer)

    assert beat.schedule[name].last_run_at > entry.last_run_at
    assert home.llen(QUEUE) == ENOUGH
