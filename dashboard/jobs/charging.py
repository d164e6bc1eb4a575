"""What a job is charged for: the server's own time, not what the way to it took."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis.exceptions import NoPermissionError

from redisops.busyness import computed

if TYPE_CHECKING:
    from dashboard.jobs.work import Work

SUSPECT = 0.005  # seconds of one batch above which the server is asked what it computed itself


def charge(work: Work, commands: int, seconds: float, *, own: float = 0.0) -> None:
    """Tell the pace what a batch of ``commands`` took; ``own`` of its seconds this thread computed.

    The way there and back is the network's time, not the server's. And on a loaded machine most of
    the rest is waiting for a processor: so of a batch that seems to have taken long the server is
    asked what it has computed (INFO cpu, one small command a primary), and what was charged beyond
    that is given back. Not for work on two servers at once.
    """
    server = max(0.0, seconds - own - work.pace.latency.trip)
    work.pace.spent(commands, seconds, server=server)
    if server > SUSPECT and work.job.work.elsewhere(work.job) is None:
        work.pace.told(_computed(work))


def _computed(work: Work) -> float | None:
    nodes = list(work.redis.primaries())
    work.pace.sleep(work.pace.room(len(nodes)))
    try:
        told = [computed(node.info("cpu")) for node in nodes]
    except NoPermissionError:  # INFO is @dangerous: then what the batch took has to do
        return None
    known = [seconds for seconds in told if seconds is not None]
    return sum(known) if len(known) == len(told) else None
