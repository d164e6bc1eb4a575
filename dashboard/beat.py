"""Beat that does not fill a queue which nobody empties."""

from __future__ import annotations

from typing import Any

import structlog
from celery.beat import PersistentScheduler

log = structlog.get_logger(__name__)

ENOUGH = 20
"""Waiting tasks above which no more are sent: every worker has more than it can begin."""


class Scheduler(PersistentScheduler):  # type: ignore[misc]
    """Leaves out what is due while ``ENOUGH`` tasks wait in its queue.

    A queue in Redis has no bound, and expired tasks leave it only through a worker: a day without
    one would put 43,200 of them into home. Each of ours looks at what is so when it runs, so the
    ones left out are missed by nobody. One round trip to the broker for each task.
    """

    is_full = False
    _full: frozenset[str] = frozenset()

    def apply_async(
        self,
        entry: Any,
        producer: Any = None,
        advance: bool = True,  # noqa: FBT001, FBT002 - Celery's signature
        **options: Any,
    ) -> Any:
        queue = entry.options.get("queue") or self.app.conf.task_default_queue
        self.is_full = self._waiting(producer, queue) >= ENOUGH
        if self.is_full:
            if queue not in self._full:
                log.warning(
                    "tasks are left out: no worker takes those that wait", queue=queue,
                    waiting=ENOUGH,
                )  # fmt: skip
            self._full |= {queue}
            if advance:
                self.reserve(entry)
            return None
        self._full -= {queue}
        return super().apply_async(entry, producer=producer, advance=advance, **options)

    def _waiting(self, producer: Any, queue: str) -> int:
        declared = (producer or self.producer).channel.queue_declare(queue=queue, durable=True)
        count: int = declared.message_count
        return count
