"""The fast path on a cluster: each call on the line of the node that serves its slot."""

# Calls redis-py's untyped internals.
# mypy: allow-untyped-calls

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import redis
from redis.crc import key_slot
from redis.exceptions import AskError, ClusterDownError, MovedError, TryAgainError

from redisops.connection.client import RUNNER
from redisops.connection.commands import word
from redisops.errors import CircuitOpen
from redisops.fast.lines import Line
from redisops.fast.outcome import guard_of
from redisops.fast.packing import pack
from redisops.resilience.breaker import BreakerState
from redisops.steps import Blocking, Steps, step

FOLLOWED = 5
"""How many redirections of one call are followed."""
LOOK_AGAIN = 0.5
"""Seconds between two looks at a cluster one of whose nodes does not answer."""
ASKING = pack(("ASKING",))
_WITH_COUNT = frozenset(["EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO"])
_REDIRECTED = (AskError, TryAgainError, ClusterDownError)  # MovedError is an AskError


class Routes:
    """Follows slots that move, and primaries that are replaced.

    A command whose key is not its first argument (or whose script's keys do not follow their
    count) goes the client's own way, and so does everything while the cluster's breaker is open.
    """

    client: Any
    guard: Any
    _looked_at = 0.0

    @step
    def ask(self, packed: bytes, args: tuple[Any, ...], *, again: bool) -> Steps[Any]:
        """The reply; what the server refused is raised."""
        slot = yield self._slot(args)
        if slot is None or self.guard.breaker.state is not BreakerState.CLOSED:
            reply = yield self.client.execute_command(word(args[0]), *args[1:])
            return reply
        for left in range(FOLLOWED, -1, -1):
            line = self._line(slot)
            try:
                reply = yield line.ask(packed, args, again=again)
                return reply
            except MovedError as error:
                if not left:
                    raise
                yield self._move(error)
            except AskError as error:
                reply = yield from self._asked_there(error, packed, again=again)
                return reply
            except (TryAgainError, ClusterDownError):
                if not left:
                    raise
                yield self.pause(0.05)  # type: ignore[attr-defined]
                yield from self._look_again()
            except (redis.ConnectionError, redis.TimeoutError) as error:
                yield from self._look_again()
                sent = not isinstance(error, CircuitOpen) and getattr(error, "sent", True)
                if not left or self._line(slot) is line or (sent and not again):
                    raise
        raise AssertionError("the last round returns or raises")

    @step
    def ask_all(self, commands: Sequence[tuple[Any, ...]], *, again: bool) -> Steps[list[Any]]:
        """The replies, refusals among them: one write for each node."""
        replies: list[Any] = [None] * len(commands)
        places: dict[Any, list[int]] = {}
        for at, args in enumerate(commands):
            slot = yield self._slot(args)
            line = None if slot is None else self._line(slot)
            places.setdefault(line, []).append(at)
        singly = places.pop(None, [])
        parts = [[commands[at] for at in ats] for ats in places.values()]
        answers = yield self._all_of(list(places), parts, again=again)
        for ats, answer in zip(places.values(), answers, strict=True):
            for at, reply in zip(ats, answer, strict=True):
                replies[at] = reply
                if isinstance(reply, _REDIRECTED):
                    singly.append(at)
        for at in singly:
            try:
                replies[at] = yield self.ask(  # type: ignore[call-overload]
                    pack(commands[at]), commands[at], again=again
                )
            except redis.ResponseError as error:
                replies[at] = error
        return replies

    def _asked_there(self, error: AskError, packed: bytes, *, again: bool) -> Steps[Any]:
        """Ask the node that is taking the slot over, for this once."""
        line = yield self._line_at(error)
        replies = yield line.ask_packed(ASKING + packed, 2, again=again)
        if isinstance(replies[1], Exception):
            raise replies[1]
        return replies[1]

    def _look_again(self) -> Steps[None]:
        """Ask the cluster who serves what, no more often than ``LOOK_AGAIN``."""
        now = time.monotonic()
        if now - self._looked_at >= LOOK_AGAIN:
            self._looked_at = now
            yield self._look()

    def _key(self, args: tuple[Any, ...]) -> Any:
        """The first key of the command; None when only the client knows whether it has one."""
        name = word(args[0])
        if name in _WITH_COUNT:
            return args[3] if len(args) > 3 and int(args[2]) > 0 else None
        if name == "XREADGROUP":  # of one stream: ... STREAMS key id
            return args[-2] if len(args) > 2 and word(args[-3]) == "STREAMS" else None
        known = self.client.commands_parser.commands.get(name.lower())
        first = known["first_key_pos"] if known else 0
        return args[first] if 0 < first < len(args) else None

    def _slot_of(self, args: tuple[Any, ...]) -> int | None:
        key = self._key(args)
        if key is None:
            return None
        if not isinstance(key, bytes):
            key = bytes(key) if isinstance(key, bytearray | memoryview) else str(key).encode()
        return int(key_slot(key))

    _slot: Any
    _line: Any
    _line_at: Any
    _move: Any
    _look: Any
    _all_of: Any


class Lines(Routes, Blocking):
    """The lines of a ``ClusterClient``, or of a plain ``redis.RedisCluster``."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.guard = guard_of(client)

    def _slot(self, args: tuple[Any, ...]) -> int | None:
        return self._slot_of(args)

    def _line(self, slot: int) -> Line:
        return self._line_of(self.client.nodes_manager.get_node_from_slot(slot))

    def _line_at(self, error: AskError) -> Line:
        manager = self.client.nodes_manager
        node = manager.get_node(host=error.host, port=error.port)
        if node is None:
            manager.initialize()
            node = manager.get_node(host=error.host, port=error.port)
        if node is None:
            raise error
        return self._line_of(node)

    def _line_of(self, node: Any) -> Line:
        client = self.client
        if hasattr(client, "node_breakers"):
            return Line.of(client._node_client(node))
        return Line.of(client.get_redis_connection(node))

    def _move(self, error: MovedError) -> None:
        self.client.nodes_manager.move_slot(error)

    def _look(self) -> None:
        RUNNER.run(
            self.guard.steps(
                self.client.nodes_manager.initialize, RUNNER, "CLUSTER SLOTS", 1,
                again=True, wait=None,
            )
        )  # fmt: skip

    def _all_of(
        self, lines: list[Line], parts: list[list[tuple[Any, ...]]], *, again: bool
    ) -> list[list[Any]]:
        return [line.ask_all(part, again=again) for line, part in zip(lines, parts, strict=True)]
