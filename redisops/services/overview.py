"""All services of a Redis at one look: who is there, until when, and what was found out."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Collection, Sequence
from typing import Any, TypeVar

from redisops.fast import AsyncFast, Fast
from redisops.resilience import deadline
from redisops.services.looking import (
    EVENTS,
    MOST_INSTANCES,
    Looking,
    clock,
    details_of,
    due_of,
    lease_of,
    names_of,
    to_detail,
)
from redisops.services.names import whether_alive
from redisops.services.naming import keys_of
from redisops.services.seen import Look, Seen
from redisops.steps import Awaiting, Blocking, Steps, step

__all__ = ["AsyncOverview", "Look", "Overview", "Seen"]

T = TypeVar("T")


class _Overview:
    """Looks at all services; what is so is in the Look that is given back, nothing is kept here.

    Reads the set ``svc:services`` and of each service ``ver`` and ``epoch`` each time, ``lease``
    and ``swept`` in turns, ``rec`` and ``events`` when its version changed, ``chk``, ``st`` and
    ``until`` in turns: plain reading commands, so that a reader's rights will do. Bounded by the
    constants of ``looking``: where the set names more than ``MOST_SERVICES``, those of which Redis
    holds nothing are left out, and of those that live who was read first stays. Errors of
    connection pass through; a service that cannot be read says so in its ``trouble``.
    """

    _fast: Any

    @step
    def look(
        self, known: Look | None = None, first: Collection[str] = (), *, in_turn: bool = True
    ) -> Steps[Look]:
        """What is so now. One round trip when nothing changed, two when something did.

        ``known`` is the look before; ``first`` are services that are known to have changed. Only
        they are read without ``in_turn``: such a look costs what changed.
        """
        before = known or Look()
        due, versions, at = due_of(before, [*before.stale, *first], in_turn=in_turn)
        detailed = to_detail(before, due)
        commands: list[tuple[Any, ...]] = [("TIME",)]
        if in_turn:
            commands += names_of(before)
        for name in due:
            keys = keys_of(name)
            commands += [("MGET", keys.epoch, keys.ver), *lease_of(keys)]
        for name in versions:
            keys = keys_of(name)
            commands.append(("MGET", keys.epoch, keys.ver))
        for name in detailed:
            commands += details_of(keys_of(name))
        replies = iter((yield self._fast.calls(commands)))
        looking = Looking(before, clock(next(replies)))
        looking.tell(first)
        if in_turn:
            looking.name(next(replies), next(replies))
        changed = list(looking.unread())
        for name in due:
            if looking.take(name, [next(replies) for _ in range(3)]):
                changed.append(name)
        changed += [name for name in versions if looking.is_changed(name, next(replies))]
        for name in detailed:
            looking.detail(name, *(next(replies) for _ in range(3)))
        yield from self._read(looking, list(dict.fromkeys(changed)))
        return looking.look(at)

    def _read(self, looking: Looking, names: Sequence[str]) -> Steps[None]:
        reads, asked = looking.now_and_later(names), looking.asked
        if not reads and not asked:
            return
        commands: list[tuple[Any, ...]] = [whether_alive(name) for name in asked]
        lacking = []
        for name in reads:
            keys = keys_of(name)
            commands += [
                ("MGET", keys.epoch, keys.ver),
                ("HSCAN", keys.rec, 0, "COUNT", MOST_INSTANCES),
                ("XREVRANGE", keys.events, "+", "-", "COUNT", EVENTS),
            ]
            if name not in looking.looked:
                lacking.append(name)
                commands += [*lease_of(keys), *details_of(keys)]
        replies = iter((yield self._fast.calls(commands)))
        alive = [next(replies) for _ in asked]
        for name in reads:
            looking.read(name, [next(replies) for _ in range(3)])
            if name in lacking:
                looking.take(name, [None, next(replies), next(replies)])
                looking.detail(name, next(replies), next(replies), next(replies))
        looking.live(alive)


class Overview(_Overview, Blocking):
    __doc__ = _Overview.__doc__

    def __init__(self, client: Any) -> None:
        self.client = client
        self._fast = Fast.of(client)


class AsyncOverview(_Overview, Awaiting):
    __doc__ = _Overview.__doc__

    def __init__(self, client: Any, patience: float = 2.5) -> None:
        """``patience``: seconds for each answer of Redis. What it takes to unpack them does not
        count: on a busy machine that would look as if Redis did not answer."""
        self.client = client
        self.patience = patience
        self._fast = AsyncFast.of(client)

    async def run(self, steps: Steps[T]) -> T:
        """Thousands of records take long to unpack: that is done in a thread, and only what
        Redis is asked is awaited in the loop."""
        reply: Any = None
        error: BaseException | None = None
        while True:
            is_over, call = await asyncio.to_thread(_advanced, steps, reply, error)
            if is_over:
                return call  # type: ignore[no-any-return]
            reply = error = None
            try:
                with deadline(self.patience):
                    reply = await call if inspect.isawaitable(call) else call
            except BaseException as raised:
                error = raised


def _advanced(steps: Steps[Any], reply: Any, error: BaseException | None) -> tuple[bool, Any]:
    """What the steps ask next; or that they are over, and what came of them."""
    try:
        return False, steps.throw(error) if error is not None else steps.send(reply)
    except StopIteration as finished:
        return True, finished.value
