"""What Celery does for checks: see that this worker watches."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from celery.signals import worker_ready, worker_shutting_down

from dashboard.services.checks import watching


@shared_task(name="services.watch")  # type: ignore[untyped-decorator]
def watch() -> bool:
    """Start this process's watcher unless it runs already; whether it was started.

    For workers of the queue ``services`` alone. Several may get it, any often.
    """
    return watching.see_to_it()


@worker_ready.connect  # type: ignore[untyped-decorator]
def _begin(sender: Any = None, **details: object) -> None:
    """A worker of the queue ``services`` begins by itself: beat may come up long after it."""
    if sender is not None and "services" in sender.app.amqp.queues.consume_from:
        watching.see_to_it()


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def _leave(**details: object) -> None:
    """The worker was asked to end: the other watchers take its share over at once."""
    watching.end()
