"""When beat sends what. No models here: the Celery application reads it before Django is up."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

from celery.schedules import schedstate, schedule

SAMPLE_SECONDS = 2
FOLD_SECONDS = 20


class aligned(schedule):  # type: ignore[misc]
    """Every ``seconds``, at whole multiples of them on the clock.

    A plain interval drifts over the edge of a slot now and then: one slot would get two
    samples and the next one none.
    """

    def __init__(self, seconds: float, **options: Any) -> None:
        super().__init__(timedelta(seconds=seconds), **options)

    def is_due(self, last_run_at: datetime) -> schedstate:
        now = time.time()
        # A little after the edge, so that clocks that differ by milliseconds agree on the slot.
        wait = self.seconds - now % self.seconds + 0.02
        return schedstate(last_run_at.timestamp() // self.seconds < now // self.seconds, wait)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.__class__, (self.seconds,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, aligned) and self.seconds == other.seconds

    def __hash__(self) -> int:
        return hash(self.seconds)


# A task looks in the slot that it runs in, so a late one does no harm; what waited longer than this
# is not run any more, and there is no backlog to catch up.
SCHEDULE: dict[str, Any] = {
    "sample the servers": {
        "task": "servers.sample",
        "schedule": aligned(SAMPLE_SECONDS),
        "options": {"expires": 5 * SAMPLE_SECONDS, "ignore_result": True},
    },
    "fold the samples": {
        "task": "servers.fold",
        "schedule": aligned(FOLD_SECONDS),
        "options": {"expires": FOLD_SECONDS, "ignore_result": True},
    },
}
