"""A tiny kind of work: adds 1 to each of some counters, exactly once each."""

from __future__ import annotations

import os
import signal
from typing import Any

from dashboard.accounts.roles import Role
from dashboard.jobs import Kind, Work, register
from dashboard.jobs.models import Job
from dashboard.servers import access

BATCH = 5


class Adding(Kind):
    """INCRs the counters ``n:0`` … ``n:<units - 1>``, five a step, and looks after a cut.

    ``params`` may hold ``die_at`` (kill -9 of its own process between the effect and the commit of
    that step) and ``bad`` (a counter that fails).
    """

    name = "test.add"
    permission = "test.add"
    done_word = "added"
    unit = "counter"
    template = ""

    def title(self, job: Job) -> str:
        return f"Add to {job.params['units']} counters"

    def step(self, work: Work) -> bool:
        at = work.checkpoint.get("at", 0)
        names = [f"n:{n}" for n in range(at, min(at + BATCH, work.params["units"]))]
        todo = names
        if work.intent is None:
            work.pace.wait(len(names))
            work.intend({"names": names})
        else:
            # What was cut off is looked at, not repeated.
            work.log("Looked after what was cut off")
            todo = [name for name in work.intent["names"] if work.redis.get(name) is None]
        for name in todo:
            if name == work.params.get("bad"):
                work.fail(name.encode(), "is bad")
            else:
                work.redis.incr(name)
                work.node("node", done=1)
        if at == work.params.get("die_at") and not os.environ.get("SURVIVE"):
            os.kill(os.getpid(), signal.SIGKILL)
        work.count(done=sum(name != work.params.get("bad") for name in names))
        work.checkpoint = {"at": at + len(names)}
        return at + len(names) >= work.params["units"]

    def finished(self, work: Work) -> None:
        work.log("All added")


def declare() -> None:
    access.register("test.add", Role.OPERATOR, "add to counters")
    register(Adding())


def units(count: int, **more: Any) -> dict[str, Any]:
    return {"units": count, **more}
