"""What follows services, whoever waits between the steps: a thread or a loop."""

from __future__ import annotations

import logging
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from typing import Any

import redis

from redisops.errors import InvalidArgument
from redisops.pubsub import Gap, Message
from redisops.resilience import Backoff
from redisops.services.local import Copy, Local, announced, fits
from redisops.services.model import Event, Instance, Reading
from redisops.services.telling import Counting, Telling, named
from redisops.services.trouble import ERRORS, words
from redisops.steps import Steps, step

log = logging.getLogger("redisops.services")

LISTEN = 0.25  # seconds of one wait for an announcement
UNHEARD = 0.5  # seconds between two looks where announcements cannot be heard
SPREAD = 0.2  # seconds over which many readers spread a look that all need at once
AT_ONCE = 200  # announcements that are applied before they are published
READ_AT_ONCE = 500  # services of one round trip


class _Discovery(ABC):
    """Local copies of ``services``, kept new until ``close``; reading them costs no command.

    Announcements are applied in order; a gap, a reconnection and every ``every`` seconds ask Redis
    whether the version is still the one that is held (one round trip for all services). While Redis
    is away, what was known is served, with its ``age``. After it lost its data (another epoch) who
    is not back yet is served for one lease. ``changed`` is called with an Event, or with the
    service's name when it was read anew, in the following thread or task.

    Costs a connection of its own for announcements; where they may not be heard, it looks twice a
    second.

    About every 10 s, in a round trip that it makes anyway, it tells who it is (``name``; else the
    client's name, or host and process), since when it reads, and what its balancers saw of each
    instance (``readers``). ``tells=False`` keeps it silent, and who has no right to write is so by
    itself: ``untold`` says why.
    """

    _registry: Any
    _watching: Any

    def __init__(
        self,
        client: Any,
        *services: str,
        every: float = 2.0,
        changed: Callable[[Event | str], Any] | None = None,
        name: str = "",
        tells: bool = True,
    ) -> None:
        if not services:
            raise InvalidArgument("name at least one service to discover")
        self.client = client
        self.every = every
        self.trouble = ""
        self.is_over = False
        self._changed = changed
        self._locals = {service: Local(service) for service in services}
        self._channels = {one.keys.channel: one for one in self._locals.values()}
        self._backoff = Backoff(base=0.1, cap=2.0)
        self._subscriber: Any = None
        self._deaf = False
        self._is_other = False  # the services are not those that are subscribed to
        self._telling = Telling(name or named(client), is_on=tells)
        for service in services:
            self._telling.follow(service)
        self._ready()

    @property
    def services(self) -> tuple[str, ...]:
        """The services that are followed."""
        return tuple(self._locals)

    @property
    def untold(self) -> str:
        """Why nobody is told that it reads; "" while Redis keeps what it says."""
        return self._telling.refused if self._telling.is_on else "it is switched off"

    def count(self, service: str, balancer: Counting) -> None:
        """Tell also what this balancer sees of the service's instances."""
        self._telling.count(service, balancer)

    def copy(self, service: str) -> Copy:
        """The service as it is known here. No command."""
        return self._locals[service].copy

    def also(self, *services: str) -> None:
        """Follow these, too: they are read within a quarter of a second. No command here."""
        for service in services:
            if service not in self._locals:
                one = Local(service)
                # Replaced whole: whoever follows may be walking through the old ones.
                self._channels = {**self._channels, one.keys.channel: one}
                self._locals = {**self._locals, service: one}
                self._telling.follow(service)
                self._is_other = True

    def let_go(self, service: str) -> None:
        """Follow this one no longer; the last one stays. No command here."""
        if service in self._locals and len(self._locals) > 1:
            gone = self._locals[service]
            self._telling.let_go(service)
            self._locals = {name: one for name, one in self._locals.items() if one is not gone}
            self._channels = {name: one for name, one in self._channels.items() if one is not gone}
            self._is_other = True

    def age(self, service: str) -> float | None:
        """Seconds since Redis last confirmed the copy; None before the first time."""
        at = self._locals[service].confirmed_at
        return None if at is None else time.monotonic() - at

    def is_known(self, service: str) -> bool:
        """Whether Redis was asked for it with success."""
        return self._locals[service].reading is not None

    def instances(
        self,
        service: str,
        *,
        version: str = "",
        zone: str = "",
        tags: Collection[str] = (),
        states: Collection[str] = (),
    ) -> list[Instance]:
        """Those that fit all that is given, in the order of their ids. No command.

        ``version`` may end in ``*``; ``tags`` must all be there; without ``states`` those that get
        traffic: passing or warning, not suspect, of some weight.
        """
        return [
            one
            for one in self.copy(service).instances
            if (one.state in states if states else one.is_routed)
            and fits(one, version=version, zone=zone, tags=tags)
        ]

    @step
    def look(self) -> Steps[None]:
        """Ask Redis now for every service. One round trip for every 500, one more for changes."""
        yield from self._look_at_all()

    @step
    def follow(self) -> Steps[None]:
        """Keep the copies new until ``close``."""
        failures = 0
        try:
            while not self.is_over:
                try:
                    yield from self._follow()
                    failures = 0
                except ERRORS as error:
                    self._say(words(error))
                except Exception as error:
                    log.exception("services cannot be followed")
                    self._say(f"{type(error).__name__} while following: see the log")
                failures += 1
                if not self.is_over:
                    yield self._rest(max(0.05, self._backoff.delay(failures)))
        except GeneratorExit:
            raise
        except BaseException:
            yield from self._take_back()
            yield from self._hang_up()
            raise
        yield from self._take_back()
        yield from self._hang_up()

    def _follow(self) -> Steps[None]:
        if self._subscriber is None and not self._deaf:
            self._is_other = False
            self._subscriber = self._subscribed()
            yield self._enter(self._subscriber)
        yield from self._look_at_all()
        every = min(self.every, UNHEARD) if self._deaf else self.every
        due = time.monotonic() + every * random.uniform(0.8, 1.0)  # noqa: S311 - spreads load
        while not self.is_over:
            if self._is_other and not self._deaf:
                yield from self._hang_up()
                self._is_other, self._subscriber = False, self._subscribed()
                yield self._enter(self._subscriber)
                due = 0.0
            now = time.monotonic()
            soonest = min(due, *(one.due for one in self._locals.values()))
            if now >= soonest:
                if now >= due:
                    yield from self._look_at_all()
                    due = time.monotonic() + every
                else:
                    for one in self._locals.values():
                        if now >= one.due:
                            yield from self._read(one)
                continue
            wait = max(0.0, min(LISTEN, soonest - now))
            if self._deaf:
                yield self._rest(wait)
                continue
            try:
                heard = yield self._subscriber.get(wait)
            except redis.exceptions.NoPermissionError as error:
                log.warning("announcements of services cannot be heard: %s", error)
                self._deaf = True
                yield from self._hang_up()
                return
            if heard is not None:
                yield from self._hear_all(heard)

    def _hear_all(self, heard: Message | Gap) -> Steps[None]:
        """This announcement and those that wait behind it, published together."""
        news: list[tuple[Local, Event]] = []
        try:
            for _ in range(AT_ONCE):
                self._hear(heard, news)
                behind = yield self._subscriber.get(0.0)
                if behind is None:
                    break
                heard = behind
            else:
                self._hear(heard, news)
        finally:
            now = time.monotonic()
            for one in dict.fromkeys(one for one, _ in news):
                one.publish(now)
        for _, said in news:
            yield from self._tell(said)

    def _hear(self, heard: Message | Gap, news: list[tuple[Local, Event]]) -> None:
        if not isinstance(heard, Message):
            soon = time.monotonic() + random.uniform(0, SPREAD)  # noqa: S311 - spreads load
            for one in self._locals.values():
                one.due = min(one.due, soon)
            return
        known = self._channels.get(heard.channel)
        if known is None:
            return
        said = announced(known.copy.service, heard.data)
        if said is not None and known.apply(said):
            news.append((known, said))
            return
        # The first of a service is waited for; nobody need hurry for what somebody else said.
        spread = SPREAD if said is None else SPREAD * random.random() if known.copy.epoch else 0.0  # noqa: S311
        known.due = min(known.due, time.monotonic() + spread)

    def _look_at_all(self) -> Steps[None]:
        """One round trip for every 500 services, one more where some changed."""
        everyone = list(self._locals.values())
        for start in range(0, len(everyone), READ_AT_ONCE):
            part = {one.copy.service: one for one in everyone[start : start + READ_AT_ONCE]}
            known = {name: one.reading for name, one in part.items() if one.reading is not None}
            scripts = self._telling.due(part.values(), hears=not self._deaf)
            read, answers = yield self._watching.read_and_tell(list(part), known, scripts)
            self._telling.answered(answers)
            for name, found in read.items():
                if isinstance(found, redis.exceptions.NoPermissionError):
                    yield from self._read(part[name])  # by plain commands
                elif isinstance(found, redis.ResponseError):
                    self._refused(part[name], found)
                else:
                    yield from self._taken(part[name], found)
        if not any(one.trouble for one in self._locals.values()):
            self._say("")

    def _read(self, one: Local) -> Steps[None]:
        try:
            found = yield self._registry.read(one.copy.service, one.reading)
        except redis.ResponseError as error:
            self._refused(one, error)
        else:
            yield from self._taken(one, found)

    def _refused(self, one: Local, error: redis.ResponseError) -> None:
        """What is wrong with this service alone, as WRONGTYPE."""
        one.due = float("inf")
        one.trouble = f"{one.copy.service}: {error}"
        self._say(one.trouble)

    def _taken(self, one: Local, found: Reading) -> Steps[None]:
        one.trouble = ""
        if one.take(found):
            yield from self._tell(one.copy.service)
        self._confirmed()

    def _tell(self, what: Event | str) -> Steps[None]:
        if self._changed is not None:
            try:
                yield self._changed(what)
            except Exception:
                # The caller's own function: what it trips over must not end the following.
                log.exception("who was told of a change of services failed")

    def _hang_up(self) -> Steps[None]:
        subscriber, self._subscriber = self._subscriber, None
        if subscriber is not None:
            try:
                yield self._leave(subscriber)
            except ERRORS as error:
                log.debug("the link was gone: %s", error)

    def _take_back(self) -> Steps[None]:
        """Be a reader no more, where that goes at once; else its word runs out."""
        scripts = [] if self.trouble else self._telling.leaving()
        if scripts:
            try:
                yield self._watching.tell(scripts)
            except ERRORS as error:
                log.debug("it is told as a reader for a while more: %s", error)

    def _say(self, trouble: str) -> None:
        before, self.trouble = self.trouble, trouble
        if trouble and not before:
            log.warning("services are served as they were: %s", trouble)
        elif before and not trouble:
            log.warning("services are followed again")

    def _is_ready(self) -> bool:
        return all(one.reading is not None for one in self._locals.values())

    @abstractmethod
    def _ready(self) -> None: ...

    _rest: Any
    _enter: Any
    _leave: Any
    _subscribed: Any
    _confirmed: Any
