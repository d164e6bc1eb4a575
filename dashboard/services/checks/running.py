"""The checks that run now: how many at once, in which lane, and what becomes of their outcome.

A check that nobody answers costs a place, not a processor. So who was silent the last time has
places of its own, and of the others only those begun a moment ago count as waiting for a processor.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

import structlog

from dashboard.services.checks.asking import ask
from dashboard.services.checks.exchange import Outcome
from dashboard.services.checks.quick import HELD_UP, Quick, can

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from dashboard.services.checks.watch import Watch
    from dashboard.services.checks.wheel import Target, Wheel

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 8_000
MOST_SLOW = 6_000
"""Of these, and at most half of them, checks of who was silent the last time."""
MOST_YOUNG = 300
"""Checks of the others begun within the last moment and not ended: more of them at once only wait
for a processor, ours or that of the targets, and would all be late for it."""
YOUNG_SECONDS = 0.25
LATER = 0.25
"""Seconds until a silent one for which there is no place now is looked at again."""
MOST_HELD = 2
"""Results in a row that are put down to this checker's own slowness; the next one counts."""


class Run:
    """One check that runs. Times are the loop's."""

    __slots__ = ("begun", "behind", "is_done", "is_slow", "quick", "target")

    def __init__(self, target: Target, begun: float, behind: float) -> None:
        self.target, self.begun, self.behind = target, begun, behind
        self.is_slow, self.is_done = target.is_slow, False
        self.quick: Quick | None = None


class Runs:
    """The checks of one watcher. ``files`` that it may have open; ``wheel`` gets targets back."""

    def __init__(self, wheel: Wheel, files: int) -> None:
        self.most = max(50, min(MOST_AT_ONCE, files))
        self.behind = 0.0
        self._loop = asyncio.get_running_loop()
        self._wheel = wheel
        self._running: set[Run] = set()
        self._slow = 0
        self._young: deque[Run] = deque()
        self._deadlines: list[tuple[float, int, Quick]] = []
        self._count = count()
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def expire(self, now: float) -> None:
        """End the checks whose time is over."""
        while self._deadlines and self._deadlines[0][0] <= now:
            quick = heapq.heappop(self._deadlines)[2]
            quick.late()
            if not quick.is_over:
                self._await(quick)

    def begin(self, now: float) -> None:
        """Begin the checks that are due, as far as there are places."""
        while self._young and now - self._young[0].begun > YOUNG_SECONDS:
            self._young.popleft()
        young = sum(not run.is_done for run in self._young)
        most_slow = min(MOST_SLOW, self.most // 2)
        for target in self._wheel.due(now, min(self.most - len(self), MOST_YOUNG - young)):
            if target.is_slow and self._slow >= most_slow:
                target.due = now + LATER
                self._wheel.add(target)
            else:
                self._begin(target, now)

    async def close(self) -> None:
        """End what runs; nothing of it is told."""
        for run in self._running:
            if run.quick is not None:
                run.quick.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, target: Target, now: float) -> None:
        run = Run(target, now, self.behind)
        self._running.add(run)
        if run.is_slow:
            self._slow += 1
        else:
            self._young.append(run)
        if can(target.check, target.address):
            run.quick = Quick(
                self._loop, target.check, target.address, target.port, self._behind,
                partial(self._found, run),
            )  # fmt: skip
            self._await(run.quick)
        else:
            self._do(self._ask(run), run)

    def _await(self, quick: Quick) -> None:
        heapq.heappush(self._deadlines, (quick.deadline, next(self._count), quick))

    def _behind(self) -> float:
        return self.behind

    async def _ask(self, run: Run) -> None:
        target = run.target
        outcome = await ask(target.check, target.address, target.port)
        took = self._loop.time() - run.begun
        ours = max(self.behind - run.behind, took - target.check.timeout)
        is_ours = outcome.ms is None and outcome.state == "fail" and ours > HELD_UP
        if is_ours and target.held < MOST_HELD:
            target.held += 1
            self._end(run, outcome, "unknown", f"this checker was held up: {outcome.why}")
            return
        if not is_ours:
            target.held = 0
        self._found(run, outcome)

    def _found(self, run: Run, outcome: Outcome) -> None:
        """A check is over; where nobody was reached, whether that is the instance's comes first."""
        target = run.target
        target.is_slow = outcome.ms is None and not outcome.own
        if outcome.connected:
            target.connected_at = self._loop.time()
            target.watch.gate.reached(target, target.connected_at)
        elif outcome.state == "fail":
            self._do(self._believe(run, outcome), run)
            return
        self._end(run, outcome, outcome.state, outcome.why)

    async def _believe(self, run: Run, outcome: Outcome) -> None:
        target, watch = run.target, run.target.watch
        state, why = outcome.state, outcome.why
        if not await watch.gate.believes(target, run.begun, redis_answers=watch.redis_answers):
            where = f"zone {target.zone}" if target.zone else "that network"
            state, why = "unknown", f"nobody in {where} can be reached from here: {why}"
        self._end(run, outcome, state, why)

    def _end(self, run: Run, outcome: Outcome, state: str, why: str) -> None:
        target = run.target
        watch: Watch = target.watch
        if not target.is_over:
            watch.ended(target, run.begun, outcome, state, why)
            target.go_on(state, self._loop.time())
        self._over(run)

    def _over(self, run: Run) -> None:
        """Its place is free, and its target waits for its next turn."""
        if run.is_done:
            return
        run.is_done = True
        self._running.discard(run)
        self._slow -= run.is_slow
        if not run.target.is_over:
            self._wheel.add(run.target)

    def _do(self, work: Coroutine[None, None, None], run: Run) -> None:
        task = asyncio.create_task(self._guarded(work, run))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[None, None, None], run: Run) -> None:
        try:
            await work
        except Exception:
            # A fault of ours in one check: it is logged, its place is freed, and the target has
            # its next turn. Nobody awaits this task; without this the target was never looked at.
            target = run.target
            log.exception("a check went wrong", service=target.service, instance=target.id)
            target.due = self._loop.time() + target.check.interval
            self._over(run)
