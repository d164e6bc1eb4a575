"""What a step of a job sees and tells. Nothing here is kept before the engine commits the step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from copy import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dashboard.jobs.models import Job
    from dashboard.servers.models import Server
    from redisops.connection import Client
    from redisops.pace import Pace


class Interrupted(Exception):
    """The job is to stop now: a person paused or cancelled it, or console work was stopped.

    Raised out of ``work.pace.wait`` when that is long. Let it pass; the step runs again later.
    """


class Work:
    """One step of a job, and the tools for it."""

    def __init__(
        self, job: Job, server: Server, redis: Client, pace: Pace,
        intend: Callable[[dict[str, Any]], None],
    ) -> None:  # fmt: skip
        self.job = job
        self.server = server
        self.redis = redis
        """The process's blocking client of the server, behind its breaker and deadlines."""
        self.pace = pace
        """Ask ``pace.batch(most)`` for a size, ``pace.wait(n)`` before sending n commands, and
        tell ``pace.spent(n, seconds)`` after it."""
        self.params: dict[str, Any] = job.params
        """What the job was started with; fixed."""
        self.checkpoint: dict[str, Any] = dict(job.checkpoint)
        """Where it is, as JSON. Assign anew, or change it; kept when the step commits."""
        self.intent: dict[str, Any] | None = job.intent
        """What was about to happen when an earlier step was cut off; None: nothing was."""
        self._intend = intend
        self.counted: Counter[str] = Counter()
        self.total: int | None = job.total
        self.nodes: dict[str, Counter[str]] = {}
        self.reasons: Counter[str] = Counter()
        self.failures: list[tuple[bytes, str]] = []
        self.lines: list[str] = []
        self.writes: list[Callable[[], None]] = []

    def count(
        self, done: int = 0, failed: int = 0, skipped: int = 0, bytes: int = 0,
        total: int | None = None,
    ) -> None:  # fmt: skip
        """Add to what was done; ``total`` sets how many there are (when that becomes known).

        Keys that ``fail`` was called for are counted as failed already.
        """
        self.counted.update(done=done, failed=failed, skipped=skipped, bytes=bytes)
        if total is not None:
            self.total = total

    def node(self, name: str, done: int = 0, failed: int = 0) -> None:
        """Add to the result of one node of a cluster. Beside ``count``, not instead of it."""
        self.nodes.setdefault(name, Counter()).update(done=done, failed=failed)

    def fail(self, key: bytes, why: str) -> None:
        """One key that could not be done. All are counted by ``why``, the first 1,000 kept."""
        self.counted.update(failed=1)
        self.reasons.update([why[:200]])
        self.failures.append((key, why[:200]))

    def log(self, text: str) -> None:
        """A line for the job's log: what a person would want to know of it afterwards."""
        self.lines.append(text)

    def intend(self, data: dict[str, Any]) -> None:
        """Commit "about to do this" before the effect; raises when the job is no longer ours.

        After a cut the next step finds it in ``intent`` and must look at the server for each key
        instead of repeating. It is cleared when the step commits.
        """
        self._intend(data)
        self.intent = data

    def also(self, write: Callable[[], None]) -> None:
        """Run ``write()`` (SQL only) in the transaction that commits this step, or not at all."""
        self.writes.append(write)

    def again(self) -> Work:
        """The same step to be written down; the next try, after SQL failed, starts from here."""
        other = copy(self)
        other.checkpoint, other.counted = dict(self.checkpoint), Counter(self.counted)
        other.nodes = {name: Counter(counts) for name, counts in self.nodes.items()}
        other.reasons, other.failures = Counter(self.reasons), list(self.failures)
        other.lines, other.writes = list(self.lines), list(self.writes)
        return other
