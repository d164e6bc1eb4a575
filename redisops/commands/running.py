"""Running a judged command: measured first, bounded in time and in what is read of its answer."""

from __future__ import annotations

import contextlib
import hashlib
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import redis
from redis.exceptions import NoPermissionError, ReadOnlyError, ResponseError

from redisops.commands import shapes
from redisops.commands.policy import Verdict, judge
from redisops.commands.reading import read
from redisops.commands.refusals import Refusal
from redisops.commands.replies import Limits, Reader, Reply
from redisops.commands.secrets import veiled
from redisops.commands.table import Table
from redisops.connection.async_client import RUNNER as AWAITING_RUNNER
from redisops.connection.async_client import in_time
from redisops.connection.client import RUNNER as BLOCKING_RUNNER
from redisops.connection.guard import Guard
from redisops.errors import InvalidArgument
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.values.calls import is_cluster, nodes, send

_CHUNK = 64 * 1024
# By pool, since no server is believed for another; equal answers share one table.
_tables: weakref.WeakKeyDictionary[Guard, Table] = weakref.WeakKeyDictionary()
_equal: weakref.WeakValueDictionary[bytes, Table] = weakref.WeakValueDictionary()


@dataclass(frozen=True)
class Answer:
    """What came of a command that was sent.

    ``reply`` as the command means it. ``seconds`` between the first byte out and the last one
    read; ``sent`` and ``received`` bytes. ``node``: who answered, on a cluster. ``cut``: not
    all of the answer was read.
    """

    reply: Reply
    seconds: float
    sent: int
    received: int
    node: str = ""
    cut: bool = False


@dataclass(frozen=True)
class NodeWanted:
    """On a cluster a command without a key needs a node: these are the primaries."""

    nodes: list[str] = field(default_factory=list)


class _Commands(ABC):
    """Commands as people type them, on one server or cluster.

    ``protected`` is what the names of the console's own keys begin with; ``limits`` bound what
    is read of one answer. Made for clients of ``redisops.connection``.
    """

    def __init__(self, redis: Any, *, protected: bytes = b"", limits: Limits | None = None) -> None:
        self.redis = redis
        self.protected = protected
        self.limits = limits or Limits()

    @step
    def table(self) -> Steps[Table]:
        """The server's commands and their help.

        Two round trips the first time on a pool (``features`` is one), then none. A refusal by
        the ACL gives the kept table, and says so.
        """
        features = yield self.redis.features()
        if features.commands is None:
            refused = NoPermissionError("NOPERM command")
            return read(refused, None, str(features))
        guard = self.redis.guard
        if guard not in _tables:
            clients = yield self.redis.primaries()
            pipe = clients[0].pipeline(transaction=False)
            # As bytes: redis-py then leaves the replies as they are.
            pipe.execute_command(b"COMMAND")
            pipe.execute_command(b"COMMAND", b"DOCS")
            command, docs = yield pipe.execute(raise_on_error=False)
            _tables[guard] = _shared(command, docs, str(features))
        return _tables[guard]

    @step
    def judge(self, args: Sequence[bytes], table: Table, role: str) -> Steps[Verdict]:
        """The verdict, the keys asked of the server where the table does not tell them.

        No round trip, or one (COMMAND GETKEYS). Keys that even the server does not tell make
        it a command for admins that may touch anything.
        """
        verdict = judge(args, table, role, protected=self.protected)
        if not verdict.ask_keys or not verdict.allowed:
            return verdict
        clients = yield self.redis.primaries()
        try:
            told = yield clients[0].execute_command(b"COMMAND", b"GETKEYS", *args)
        except ResponseError as error:
            if verdict.needs == "admin" or role == "admin":
                return replace(verdict, reaches=True, ask_keys=False)
            return replace(
                verdict, allowed=False, needs="admin", ask_keys=False,
                reason=f"Nobody can tell which keys it touches: {error}",
                instead="Somebody with the role admin can run it.",
            )  # fmt: skip
        return judge(args, table, role, protected=self.protected, keys=[bytes(one) for one in told])

    @step
    def measure(self, verdict: Verdict) -> Steps[Refusal | None]:
        """Whether what it would read or move is too much. One round trip when it must be asked."""
        bound = verdict.bound
        if bound is None:
            return None
        yield from nodes(self.redis)
        node = None
        if is_cluster(self.redis) and verdict.keys:
            node = self.redis.get_node_from_key(verdict.keys[0])
        # redis-py's cluster wants the command's name as text.
        asked = [(node, (ask[0].decode(), *ask[1:])) for ask in bound.asks]
        replies = yield from send(self.redis, asked)
        for ask, reply in zip(bound.asks, replies, strict=True):
            if isinstance(reply, NoPermissionError):
                parts = ask[: 2 if ask[0] == b"MEMORY" else 1]
                name = b"|".join(parts).decode().lower()
                return Refusal(
                    f"Its size cannot be asked for: this console's user lacks +{name} or the key.",
                    "Whoever runs the server can grant it.",
                )
            # A key of another type fails the command itself; whatever else went wrong, unmeasured
            # is not small.
            if isinstance(reply, Exception) and not str(reply).startswith("WRONGTYPE"):
                return Refusal(
                    f"Its size cannot be asked for: {reply}",
                    "Without it nobody knows what the command would read.",
                )
        return bound.exceeded([one for one in replies if isinstance(one, int)])

    @step
    def places(self) -> Steps[list[str]]:
        """The primaries of a cluster as host:port; [] for a single server."""
        if not is_cluster(self.redis):
            return []
        clients = yield self.redis.primaries()
        return [_place(one) for one in clients]

    @step
    def execute(
        self, args: Sequence[bytes], verdict: Verdict, table: Table, node: str = ""
    ) -> Steps[Answer | NodeWanted]:
        """Send it once and read a bounded part of the answer. One round trip.

        ``node`` is used on a cluster when the command has no key. A redirection is followed
        once: the command was not run there. Raises ValueError for a verdict that refuses,
        UnknownResult when a write's answer was lost.
        """
        if not verdict.allowed or verdict.ask_keys:
            raise ValueError("only what the policy allows is sent")
        clients = yield self.redis.primaries()
        client = clients[0]
        if is_cluster(self.redis):
            place = node
            if verdict.keys or verdict.channels:
                key = (*verdict.keys, *verdict.channels)[0]
                place = str(self.redis.get_node_from_key(key).name)
            found = [one for one in clients if _place(one) == place]
            if not place:
                return NodeWanted([_place(one) for one in clients])
            if not found:
                raise InvalidArgument(f'"{place[:80]}" is no primary of this cluster')
            client = found[0]
        answer: Answer = yield self._sent(client, args)
        moved = _redirected(answer.reply)
        if moved is not None and verdict.keys and is_cluster(self.redis):
            there, asking = moved
            # redis-py follows the redirection and learns from it. Who may not ask so finds only
            # a node that is known already.
            with contextlib.suppress(NoPermissionError):
                yield self.redis.execute_command("EXISTS", verdict.keys[0])
            clients = yield self.redis.primaries()
            found = [one for one in clients if _place(one) == there]
            if found:
                client = found[0]
                answer = yield self._sent(client, args, asking=asking)
        reply = shapes.shaped(answer.reply, table.find(args), list(args))
        reply = veiled(reply, table.find(args), self.protected)
        place = _place(client) if is_cluster(self.redis) else ""
        return replace(answer, reply=reply, node=place)

    @abstractmethod
    def _sent(self, client: Any, args: Sequence[bytes], *, asking: bool = False) -> Any:
        """The bounded Answer of ``client``, or what is awaited for it."""


class Commands(_Commands, Blocking):
    """Commands typed by people, with a blocking client."""

    def _sent(self, client: Any, args: Sequence[bytes], *, asking: bool = False) -> Answer:
        def attempt() -> Answer:
            reader = Reader(self.limits)
            pool = client.connection_pool
            link = pool.get_connection()
            try:
                if asking:
                    link.send_command("ASKING")
                    link.read_response()
                packed = link.pack_command(*args)
                started = time.monotonic()
                link.send_command(*args)
                _receive(link, reader)
                took = time.monotonic() - started
            except BaseException:
                link.disconnect()
                raise
            else:
                if reader.has_more:
                    link.disconnect()
            finally:
                pool.release(link)
            return _answer(client, reader, took, packed)

        answer: Answer = BLOCKING_RUNNER.run(client.guard.command(args, BLOCKING_RUNNER, attempt))
        return answer


class AsyncCommands(_Commands, Awaiting):
    """Commands typed by people, with a client for asyncio."""

    async def _sent(self, client: Any, args: Sequence[bytes], *, asking: bool = False) -> Answer:
        async def exchange() -> Answer:
            reader = Reader(self.limits)
            pool = client.connection_pool
            link = await pool.get_connection()
            try:
                if asking:
                    await link.send_packed_command(link.pack_command("ASKING"))
                    await link.read_response()
                packed = link.pack_command(*args)
                started = time.monotonic()
                await link.send_packed_command(packed)
                await _receive_awaiting(link, reader)
                took = time.monotonic() - started
            except BaseException:
                await link.disconnect(nowait=True)
                raise
            else:
                if reader.has_more:
                    await link.disconnect(nowait=True)
            finally:
                await pool.release(link)
            return _answer(client, reader, took, packed)

        answer: Answer = await AWAITING_RUNNER.run(
            client.guard.command(args, AWAITING_RUNNER, lambda: in_time(exchange))
        )
        return answer


def _shared(command: Any, docs: Any, server: str) -> Table:
    mark = hashlib.sha256(repr((command, docs, server)).encode()).digest()
    table = _equal.get(mark)
    if table is None:
        table = _equal[mark] = read(command, docs, server)
    return table


def _receive(link: Any, reader: Reader) -> None:
    buffer = bytearray(_CHUNK)
    view = memoryview(buffer)
    while not reader.done:
        try:
            count = link._sock.recv_into(buffer)
        except TimeoutError as error:
            raise redis.TimeoutError("Timeout reading from socket") from error
        except OSError as error:
            raise redis.ConnectionError(f"while reading: {error}") from error
        if not count:
            raise redis.ConnectionError("Connection closed by server.")
        reader.feed(view[:count])


async def _receive_awaiting(link: Any, reader: Reader) -> None:
    while not reader.done:
        try:
            data = await link._reader.read(_CHUNK)
        except TimeoutError as error:
            raise redis.TimeoutError("Timeout reading from socket") from error
        except OSError as error:
            raise redis.ConnectionError(f"while reading: {error}") from error
        if not data:
            raise redis.ConnectionError("Connection closed by server.")
        reader.feed(data)


def _answer(client: Any, reader: Reader, took: float, packed: Any) -> Answer:
    reply = reader.reply
    if reply.is_error and client.guard.reresolves and reply.value.startswith(b"READONLY"):
        raise ReadOnlyError(reply.text)  # the primary of before: the guard asks for the new one
    size = sum(len(piece) for piece in packed)
    return Answer(reply, took, size, reader.received, cut=reader.cut)


def _place(client: Any) -> str:
    told = client.connection_pool.connection_kwargs
    return f"{told.get('host', '')}:{told.get('port', '')}"


def _redirected(reply: Reply) -> tuple[str, bool] | None:
    """Where a cluster says the key is, and whether only for this once (ASK)."""
    if not reply.is_error:
        return None
    words = reply.text.split()
    if len(words) == 3 and words[0] in ("MOVED", "ASK"):
        return words[2], words[0] == "ASK"
    return None
