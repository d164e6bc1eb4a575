"""One server's services as one process watches them: swept, read, checked, judged, told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import redis
import structlog
from django.db import DatabaseError, InterfaceError

from dashboard.servers import clients
from dashboard.services.checks.gate import Gate
from dashboard.services.checks.models import ServiceCheck
from dashboard.services.checks.spec import Check
from dashboard.services.checks.wheel import Target
from dashboard.services.history import collecting, latency
from redisops.errors import InvalidArgument, RedisopsError
from redisops.resilience import diagnose
from redisops.services import AsyncRegistry, AsyncSweeper, Instance, Judged, Reading
from redisops.services.names import AsyncNames
from redisops.services.results import AsyncResults, Result
from redisops.services.watching import AsyncWatching, Verdict, share_of

if TYPE_CHECKING:
    from dashboard.servers.models import Server
    from dashboard.services.checks.exchange import Outcome

log = structlog.get_logger(__name__)

ERRORS = (redis.RedisError, RedisopsError, OSError, redis.RedisClusterException)
READ_SECONDS = 0.5
LIST_SECONDS = 2.0
JUDGE_SECONDS = 0.1
TELL_SECONDS = 1.0
LATENCY_SECONDS = 2.0
TERMS_SECONDS = 5.0
LOST_SECONDS = 5.0
"""Seconds for which nobody checks what a lost watcher had: until it is missed, and taken over."""
PLANNED_AT_ONCE = 500
MOST_WAITING = 20_000
"""Verdicts that wait for Redis; older ones than an interval say nothing any more."""
CHECKED = frozenset(["starting", "passing", "warning", "critical", "maintenance"])
MOST_KNOWN = 4_096
_checks: dict[str, Check] = {}
_WITHOUT = {"_time": "latency is not kept", "_collect": "changes are not collected"}
Add = Callable[[Target], None]


class Watch:
    """Watches the services of ``server`` until ``close``. ``add`` puts a target on the wheel.

    ``rows`` are the decided checks by service; ``peers`` who watches, this one (``me``) included.
    """

    def __init__(self, server: Server, me: str, add: Add) -> None:
        self.server, self.me, self._add = server, me, add
        self.client = server.async_client()
        self.rows: Mapping[str, ServiceCheck] = {}
        self.peers: tuple[str, ...] = (me,)
        self.gate = Gate()
        self.targets: dict[tuple[str, str], Target] = {}
        self._ids: dict[str, set[str]] = {}
        self.readings: dict[str, Reading] = {}
        self._missed = 0.0
        self.redis_answers = False
        self.trouble = ""
        self._services: list[str] = []  # one list for who sweeps, reads and collects
        self._more = False
        self._listed_at = self._clock_at = self._terms_at = float("-inf")
        self._offset = 0.0  # of the server's clock from the loop's, which nobody sets
        self._planned: dict[str, tuple[Any, ...]] = {}
        self._verdicts: list[tuple[float, Target, Verdict]] = []
        self._results: dict[str, dict[str, Result]] = {}
        self._timings: dict[str, list[latency.Timing]] = {}
        self._library = AsyncWatching(self.client)
        self._registry, self._kept = AsyncRegistry(self.client), AsyncResults(self.client)
        self._names = AsyncNames(self.client)
        self._sweeper = AsyncSweeper(self.client, names=lambda: self._services)
        self._tasks = [
            asyncio.create_task(self._sweeper.sweep(), name=f"sweep {server.slug}"),
            self._repeat(self._read, READ_SECONDS),
            self._repeat(self._judge, JUDGE_SECONDS),
            self._repeat(self._tell, TELL_SECONDS),
            self._repeat(self._time, LATENCY_SECONDS),
            self._repeat(self._collect, TELL_SECONDS),
        ]

    @property
    def is_alive(self) -> bool:
        """Whether all of it goes on."""
        return not any(task.done() for task in self._tasks)

    async def close(self, *, silently: bool = False) -> None:
        """Stop; what was not told yet is told, if that goes at once.

        ``silently``: nothing more is sent, and no connection stays. So for a server on which work
        was stopped, or that is watched no more.
        """
        for target in self.targets.values():
            target.is_over = True
        self._sweeper.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if silently:
            await clients.part(self.server)
            return
        with contextlib.suppress(TimeoutError, *ERRORS):
            async with asyncio.timeout(1.0):
                await self._judge()
                await self._tell()

    def ended(self, target: Target, begun: float, outcome: Outcome, state: str, why: str) -> None:
        """A check is over: keep its result, and have it judged with the next ones."""
        loop_now = asyncio.get_running_loop().time()
        detail = {"kind": target.check.kind, **outcome.detail, "every": target.check.interval,
                  "by": self.me}  # fmt: skip
        late = begun - target.due
        if late > 1.0:
            detail["late"] = round(late, 1)
        told = Result(loop_now + self._offset, state, outcome.ms, why[:200], detail)
        self._results.setdefault(target.service, {})[target.id] = told
        if state == "unknown":
            return
        timing = latency.Timing(target.id, outcome.ms, told.is_bad)
        self._timings.setdefault(target.service, []).append(timing)
        if len(self._verdicts) < MOST_WAITING:
            said = f"check: {why}" if why else ""
            verdict = Verdict(target.service, target.id, state, said, target.fence)
            self._verdicts.append((loop_now, target, verdict))

    def share_again(self, peers: tuple[str, ...]) -> None:
        """Others watch now than before: take over what became ours, give what is not any more."""
        if peers != self.peers:
            if set(self.peers) - set(peers):
                self._missed = LOST_SECONDS
            self.peers = peers
            self._planned.clear()

    # --- What is registered ---------------------------------------------------------------

    async def _read(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._listed_at > LIST_SECONDS:
            self._services, more = await self._names.look(), self._names.more
            self._listed_at = now
            if more and not self._more:
                log.warning("services beyond the first 10,000 are not watched",
                            server=self.server.slug)  # fmt: skip
            self._more = more
        if now - self._clock_at > 10.0:
            self._offset = await self._library.clock() - now
            self._clock_at = now
        found = await self._library.read_all(self._services, self.readings)
        self.redis_answers = True
        missed, self._missed = self._missed, 0.0
        self.readings = {one: said for one, said in found.items() if isinstance(said, Reading)}
        for service in self._ids.keys() - self.readings.keys():
            self._plan(service, ())
        for service in self._planned.keys() - self.readings.keys():
            del self._planned[service]  # whoever may write to Redis may name services without end
        planned = 0
        for service, reading in self.readings.items():
            row = self.rows.get(service)
            plan = (reading.epoch, reading.version, row and (row.pk, row.version), self.peers)
            if self._planned.get(service) != plan:
                self._planned[service] = plan
                self._plan(service, reading.instances, missed)
                planned += len(reading.instances)
                if planned > PLANNED_AT_ONCE:
                    await asyncio.sleep(0)  # let checks go on between
                    planned = 0
        if now - self._terms_at > TERMS_SECONDS:
            self._terms_at = now
            await self._publish_terms()

    def _plan(self, service: str, instances: tuple[Instance, ...], missed: float = 0.0) -> None:
        """Targets of a service as it is now; what did not change keeps its place."""
        row, now = self.rows.get(service), asyncio.get_running_loop().time()
        there = set()
        for one in instances:
            check = self._check_of(row, one)
            if check is None or one.state not in CHECKED:
                continue
            if not share_of(self.me, self.peers, f"{service} {one.id}"):
                continue
            there.add(one.id)
            known = self.targets.get((service, one.id))
            if known is not None and (known.fence, known.check, known.address, known.port) == (
                one.fence, check, one.address, one.port
            ):  # fmt: skip
                known.state = one.state
                continue
            if known is not None:
                self._drop(known)
            target = Target(
                service, one.id, one.address, one.port, one.zone, one.fence, one.state, check, self
            )
            target.begin(now, missed)
            self.targets[service, one.id] = target
            self._ids.setdefault(service, set()).add(one.id)
            self.gate.add(target)
            self._add(target)
        for id in self._ids.get(service, set()) - there:
            self._drop(self.targets[service, id])

    def _check_of(self, row: ServiceCheck | None, one: Instance) -> Check | None:
        try:
            if row is None or row.mode == ServiceCheck.Mode.OWN:
                return None if one.check is None else _own(one.check)
            return row.as_check() if row.mode == ServiceCheck.Mode.WRITTEN else None
        except InvalidArgument as error:
            why = f"not checked: {error}"
            detail = {"refused": str(error)[:200]}
            at = asyncio.get_running_loop().time() + self._offset
            told = Result(at, "unknown", None, why, detail)
            self._results.setdefault(one.service, {})[one.id] = told
            return None

    def _drop(self, target: Target) -> None:
        target.is_over = True
        self.gate.remove(target)
        self.targets.pop((target.service, target.id), None)
        ids = self._ids.get(target.service, set())
        ids.discard(target.id)
        if not ids:
            self._ids.pop(target.service, None)

    async def _publish_terms(self) -> None:
        """What people decided and Redis lost, or never had."""
        rows = [row for name, row in self.rows.items() if row.terms and name in self.readings]
        found = await self._library.terms_all([row.service for row in rows])
        for row in rows:
            try:
                wanted = row.merged(found[row.service])
            except InvalidArgument as error:
                log.warning("terms are not published", service=row.service, error=str(error))
                continue
            if wanted != found[row.service]:
                await self._registry.set_terms(row.service, wanted)

    # --- What was found -------------------------------------------------------------------

    async def _judge(self) -> None:
        while self._verdicts:
            part, self._verdicts = self._verdicts[:500], self._verdicts[500:]
            now = asyncio.get_running_loop().time()
            part = [one for one in part if now - one[0] <= one[1].check.interval]
            replies = await self._library.judge_all([verdict for _, _, verdict in part])
            for (_, target, _), reply in zip(part, replies, strict=True):
                if isinstance(reply, Judged) and reply.state in CHECKED:
                    target.state = reply.state

    async def _tell(self) -> None:
        rows, self._results = self._results, {}
        try:
            refused = await self._kept.record(rows) if rows else []
        except ERRORS:
            for service, told in rows.items():  # but what came since is newer
                self._results[service] = told | self._results.get(service, {})
            raise
        if refused:
            self.trouble = f"results of {', '.join(refused[:3])} are not kept"

    async def _time(self) -> None:
        rows, self._timings = self._timings, {}
        if rows:
            await latency.record_all(self.server, rows)

    async def _collect(self) -> None:
        if share_of(self.me, self.peers, f"server {self.server.pk}"):
            await collecting.collect(self.server, self.client, self._services)

    def _repeat(self, do: Callable[[], Awaitable[None]], seconds: float) -> asyncio.Task[None]:
        return asyncio.create_task(self._again(do, seconds), name=f"{do} {self.server.slug}")

    async def _again(self, do: Callable[[], Awaitable[None]], seconds: float) -> None:
        """Do it every so often; what Redis or SQL refuses is said once, and tried again."""
        failed = False
        while True:
            wait = seconds
            try:
                await do()
                failed = False
            except (*ERRORS, DatabaseError, InterfaceError) as error:
                wait = max(seconds, 0.5)
                if isinstance(error, ERRORS) and do in (self._read, self._judge):
                    self.redis_answers = False
                if not failed:
                    words = diagnose(error).sentence if isinstance(error, ERRORS) else str(error)
                    what = _WITHOUT.get(do.__name__, "services are not watched")
                    log.warning(what, server=self.server.slug, why=words)
                failed = True
            await asyncio.sleep(wait)


def _own(said: Mapping[str, Any]) -> Check:
    """The check that an instance asks for; thousands ask for the same one."""
    asked = repr(said)
    known = _checks.get(asked)
    if known is None:
        if len(_checks) > MOST_KNOWN:
            _checks.clear()
        known = _checks[asked] = Check.of(said)
    return known
