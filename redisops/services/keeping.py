"""What keeps instances registered, whoever waits between the steps: a thread or a loop."""

from __future__ import annotations

import dataclasses
import logging
import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from redisops.resilience import Backoff, diagnose
from redisops.services.changes import Held
from redisops.services.model import Registration, Replaced
from redisops.services.trouble import ERRORS, words
from redisops.steps import Steps, step

log = logging.getLogger("redisops.services")

BEATS = 3
"""Beats within one lease."""
LOST = Callable[[Registration], Any]


@dataclasses.dataclass
class _Mine:
    """One instance of this process and what Redis last said of it."""

    who: Registration
    held: Held | None = None  # None: to be registered
    fence: int = 0
    is_replaced: bool = False


class _Agent(ABC):
    """The instances of this process, alive in Redis until ``close``.

    One agent for a process, whatever number of instances it has: their heartbeats go in one round
    trip, three within the shortest lease, with a tenth of jitter. What Redis lost (flushed,
    restarted, failed over) is registered again at the next beat. Who registers later under an id
    takes it over: ``replaced`` is called here then, and this one beats no more. ``trouble`` is a
    sentence while Redis does not answer, else "".

    ``close`` drains, waits ``drain`` seconds for callers to notice and requests to end, and
    deregisters. ``on_sigterm``: do so on SIGTERM, then let the process go on as it would have.
    """

    _registry: Any

    def __init__(
        self,
        client: Any,
        *instances: Registration,
        drain: float = 0.0,
        on_sigterm: bool = False,
        replaced: LOST | None = None,
    ) -> None:
        self.client = client
        self.drain_seconds = drain
        self.trouble = ""
        self.beats = 0
        self.is_over = False
        self._on_sigterm = on_sigterm
        self._replaced = replaced
        self._mine: dict[tuple[str, str], _Mine] = {}
        self._backoff = Backoff(base=0.2, cap=2.0)
        self._draining = False
        for one in instances:
            self._keep(one)
        self._ready()

    @property
    def instances(self) -> list[Registration]:
        """What this process keeps registered."""
        return [mine.who for mine in list(self._mine.values()) if not mine.is_replaced]

    @property
    def is_registered(self) -> bool:
        """Whether Redis has confirmed all of them."""
        held = [mine for mine in list(self._mine.values()) if not mine.is_replaced]
        return bool(held) and all(mine.held is not None for mine in held)

    @step
    def register(self, who: Registration) -> Steps[Held]:
        """Register now, and keep it registered; again, to change what it says of itself.

        Two round trips. When Redis does not answer the error passes, and it is tried on.
        """
        mine = self._keep(who)
        yield from self._register([mine])
        self._wake()
        if mine.held is None:
            raise Replaced(f"{who.service} {who.id} was registered by another process later")
        return mine.held

    @step
    def report(self, service: str, id: str, state: str, why: str) -> Steps[bool]:
        """Say of an instance here that it is starting, passing, warning or critical."""
        mine = self._mine[service, id]
        mine.who = dataclasses.replace(mine.who, state=state if state != "critical" else "starting")
        found: bool = yield self._registry.set_state(service, id, state, why, fence=mine.fence)
        return found

    @step
    def drain(self, why: str = "draining") -> Steps[None]:
        """No more traffic to any instance here; they stay registered. A round trip for 200."""
        self._draining = True
        for mine in list(self._mine.values()):
            mine.who = dataclasses.replace(mine.who, state="draining")
        yield self._registry.leave(self._held(), why, drain=True)

    @step
    def beat(self) -> Steps[float]:
        """Beat once, and register what Redis does not know; seconds until the next beat.

        One round trip, and two for every 200 instances that must register.
        """
        mine = [one for one in list(self._mine.values()) if not one.is_replaced]
        known = [one for one in mine if one.held is not None]
        if known:
            answers = yield self._registry.beat([one.held for one in known])
            for service, answer in answers.items():
                for id in answer.missing:
                    self._mine[service, id].held = None
                for id in answer.replaced:
                    yield from self._lose(self._mine[service, id])
        lost = [one for one in mine if one.held is None and not one.is_replaced]
        if lost and not self.is_over:
            yield from self._register(lost)
        self.beats += 1
        shortest = min((one.who.ttl for one in mine), default=15.0)
        return shortest / BEATS * random.uniform(0.9, 1.0)  # noqa: S311 - spreads load

    @step
    def keep(self) -> Steps[None]:
        """Beat until ``close``; Redis in trouble is told once and tried on with backoff."""
        failures = 0
        while not self.is_over:
            try:
                wait = yield self.beat()  # type: ignore[call-overload]
                if failures:
                    failures = 0
                    self._say("")
            except ERRORS as error:
                failures += 1
                self._say(words(error))
                wait = max(0.05, self._backoff.delay(failures))
            if not self.is_over:
                yield self._rest(wait)

    @step
    def _begin_to_leave(self, why: str) -> Steps[None]:
        """Drain, and beat on while callers notice."""
        if self.drain_seconds <= 0 or self.is_over:
            return
        try:
            yield self.drain(why)  # type: ignore[call-overload]
        except ERRORS as error:
            log.warning("not drained: %s", diagnose(error).sentence)
            return  # nobody heard of it: waiting helps nobody
        yield self.pause(self.drain_seconds)  # type: ignore[attr-defined]

    @step
    def _leave(self, why: str) -> Steps[None]:
        """Deregister, when nothing beats any more; what Redis does not hear runs out by itself."""
        try:
            yield self._registry.leave(self._held(), why)
            for mine in self._mine.values():
                mine.held = None
        except ERRORS as error:
            log.warning("not deregistered: %s", diagnose(error).sentence)

    def _keep(self, who: Registration) -> _Mine:
        mine = self._mine.setdefault((who.service, who.id), _Mine(who))
        mine.who, mine.is_replaced, mine.held = who, False, None
        return mine

    def _held(self) -> list[Held]:
        return [
            Held(mine.who.service, mine.who.id, mine.fence, mine.who.ttl)
            for mine in list(self._mine.values())
            if mine.fence and not mine.is_replaced
        ]

    def _register(self, several: list[_Mine]) -> Steps[None]:
        why = "registered again" if any(mine.fence for mine in several) else "registered"
        asked = [(mine.who, mine.fence) for mine in several]
        answers = yield self._registry.register_all(asked, why=why)
        refused: Exception | None = None
        for mine, answer in zip(several, answers, strict=True):
            if isinstance(answer, Held):
                mine.held, mine.fence = answer, answer.fence
            elif isinstance(answer, Replaced):
                yield from self._lose(mine)
            else:
                refused = answer
        if refused is not None:
            raise refused

    def _lose(self, mine: _Mine) -> Steps[None]:
        mine.is_replaced, mine.held = True, None
        log.error(
            "%s %s was registered by another process: this one is no longer it",
            mine.who.service, mine.who.id,
        )  # fmt: skip
        if self._replaced is not None:
            yield self._replaced(mine.who)

    def _say(self, trouble: str) -> None:
        before, self.trouble = self.trouble, trouble
        if trouble and not before:
            log.warning("services of this process: %s", trouble)
        elif before and not trouble:
            log.warning("services of this process: Redis answers again")

    @abstractmethod
    def _ready(self) -> None: ...

    @abstractmethod
    def _wake(self) -> None: ...

    _rest: Any
