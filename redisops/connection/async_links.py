"""Connections for asyncio: TCP, TLS or unix socket. The client holds the call's deadline."""

# The overridden methods have redis-py's signatures and call its untyped internals.
# ruff: noqa: FBT001, FBT002
# mypy: allow-untyped-calls

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
from typing import Any

import redis
from redis.asyncio.connection import AbstractConnection, Connection, ConnectionPool
from redis.exceptions import MaxConnectionsError

from redisops.connection.call import mark_sent
from redisops.connection.handshake import Greeting, judge, knows_no_hello
from redisops.connection.options import Permit
from redisops.connection.sockets import resolve_async
from redisops.connection.tls import NO_TLS_ANSWER, TLS

_GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL | getattr(select, "POLLRDHUP", 0)


class Packed(list[bytes]):
    """A command's bytes that remember its name: redis-py's cluster hands them over alone."""

    name: Any = None


class TimedReader(asyncio.StreamReader):
    """A stream whose every wait for bytes ends after ``wait`` seconds (None: never)."""

    def __init__(self, wait: float | None, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self.wait = wait

    async def read(self, n: int = -1) -> bytes:
        """The bytes that are there, or the next that come; TimeoutError when none do."""
        if self.wait is None or self._buffer or self.at_eof():  # type: ignore[attr-defined]
            return await super().read(n)
        async with asyncio.timeout(self.wait):
            return await super().read(n)


class AsyncLink(Connection):
    """One connection. What is the same for all links of a pool is set on a subclass (``like``)."""

    tls: TLS | None = None
    path: str | None = None
    touch: bool = True
    replica: bool = False
    permit: Permit | None = None
    _writer: Any  # None while not connected
    _parser: Any
    socket_keepalive_options: Any

    @classmethod
    def like(
        cls, *, tls: TLS | None, path: str | None, touch: bool, permit: Permit | None = None,
        replica: bool = False,
    ) -> type[AsyncLink]:  # fmt: skip
        """A class of links with these properties: redis-py's pools only hand on what they know."""
        allowed = staticmethod(permit) if permit is not None else None
        same = {"tls": tls, "path": path, "touch": touch, "permit": allowed, "replica": replica}
        return type(cls.__name__, (cls,), same)

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(self.socket_connect_timeout):
                self._reader, self._writer = await self._open()
        except TimeoutError as error:
            if self.tls is not None:
                raise redis.TimeoutError(NO_TLS_ANSWER) from error
            raise
        plain = self._writer.get_extra_info("socket")
        if plain is not None and plain.family != socket.AF_UNIX:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in self.socket_keepalive_options.items():
                plain.setsockopt(socket.IPPROTO_TCP, option, value)

    async def _open(self) -> tuple[TimedReader, asyncio.StreamWriter]:
        loop = asyncio.get_running_loop()
        reader = TimedReader(self.socket_timeout, loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        if self.path is not None:
            transport: Any = (await loop.create_unix_connection(lambda: protocol, self.path))[0]
        else:
            encryption: dict[str, Any] = {}
            if self.tls is not None:
                encryption = {
                    "ssl": self.tls.context(),
                    "server_hostname": self.tls.server_name or self.host,
                }
            transport = await self._first_that_connects(protocol, encryption)
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    async def _first_that_connects(self, protocol: Any, encryption: dict[str, Any]) -> Any:
        """A transport to the first address of the name that takes a connection.

        Where a rule must permit the address, all that the name has now must be permitted, and
        the one that was checked is the one that is connected to.
        """
        loop = asyncio.get_running_loop()
        addresses = [str(entry[4][0]) for entry in await resolve_async(self.host, int(self.port))]
        for address in addresses:
            if self.permit is not None:
                self.permit(address)
        for address in addresses[:-1]:
            with contextlib.suppress(OSError):
                return (
                    await loop.create_connection(lambda: protocol, address, self.port, **encryption)
                )[0]
        return (
            await loop.create_connection(lambda: protocol, addresses[-1], self.port, **encryption)
        )[0]

    async def on_connect_check_health(self, check_health: bool = True) -> None:
        """Say everything in one write and judge the replies: one round trip."""
        self._reset_himport_state()
        self._parser.on_connect(self)
        greeting = Greeting(
            self.client_name, self.username, self.password, int(self.db), self.touch, self.replica
        )
        commands = greeting.commands()
        replies = await self._say(commands)
        if knows_no_hello(replies[0]):
            commands = greeting.commands_without_hello()
            replies = await self._say(commands)
        judge(commands, replies)

    async def _say(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        self._writer.write(b"".join(self.pack_commands(commands)))
        replies = [await self._reply()]
        if isinstance(replies[0], redis.ConnectionError | redis.TimeoutError):
            raise replies[0]  # no use in waiting for the others
        return replies + [await self._reply() for _ in commands[1:]]

    async def _reply(self) -> Any:
        try:
            return await self.read_response(disconnect_on_error=False)
        except redis.RedisError as error:
            return error

    def pack_command(self, *args: Any) -> list[bytes]:
        """The command's bytes, with its name on them."""
        packed = Packed(super().pack_command(*args))
        packed.name = args[0]
        return packed

    async def read_response(
        self,
        disable_decoding: bool = False,
        timeout: float | None = None,  # noqa: ASYNC109
        *,
        disconnect_on_error: bool = True,
        push_request: bool | None = False,
    ) -> Any:
        """The next reply; each wait for bytes has the read timeout, as blocking links have it.

        redis-py would give the whole reply that time, however big it is.
        """
        if timeout is not None:  # pub/sub, which takes None for "nothing came"
            return await super().read_response(
                disable_decoding, timeout, disconnect_on_error=disconnect_on_error
            )
        try:
            reply = await self._parser.read_response(disable_decoding=disable_decoding)
        except BaseException as error:
            if disconnect_on_error:
                await self.disconnect(nowait=True)
            if isinstance(error, TimeoutError):
                raise redis.TimeoutError(f"Timeout reading from {self._host_error()}") from None
            if isinstance(error, OSError):
                raise redis.ConnectionError(
                    f"while reading: {self._error_message(error)}"
                ) from error
            raise
        if isinstance(reply, redis.ResponseError):
            raise reply from None
        return reply

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Send a command or a pipeline; a link whose peer hung up is opened anew before that."""
        if self.is_connected and self.is_gone():
            await self.disconnect(nowait=True)
        if not self.is_connected:
            await self.connect()
        if isinstance(command, str | bytes):
            command = [command.encode() if isinstance(command, str) else command]
        mark_sent(getattr(command, "name", None))
        try:
            self._writer.writelines(command)
            if self._writer.transport.get_write_buffer_size():
                async with asyncio.timeout(self.socket_timeout):
                    await self._writer.drain()
        except TimeoutError:
            await self.disconnect(nowait=True)
            raise redis.TimeoutError("Timeout writing to socket") from None
        except OSError as error:
            await self.disconnect(nowait=True)
            raise redis.ConnectionError(f"while writing: {self._error_message(error)}") from error
        except BaseException:
            await self.disconnect(nowait=True)
            raise

    async def disconnect(
        self,
        nowait: bool = False,
        error: Exception | None = None,
        failure_count: int | None = None,
        health_check_failed: bool = False,
    ) -> None:
        """Close; with ``nowait`` at once, without sending what is still buffered."""
        if nowait and self._writer is not None:
            self._writer.transport.abort()
        await super().disconnect(nowait, error, failure_count, health_check_failed)

    def is_gone(self) -> bool:
        """Whether the peer hung up, asked of the kernel: the event loop may not know yet."""
        if self._reader is None or self._reader.at_eof():
            return True
        plain = self._writer.get_extra_info("socket")
        if plain is None or plain.fileno() < 0:
            return True
        poller = select.poll()
        poller.register(plain.fileno(), _GONE)
        return bool(poller.poll(0))

    def _host_error(self) -> str:
        return self.path if self.path is not None else f"{self.host}:{self.port}"


class AsyncPool(ConnectionPool):
    """At most ``max_connections`` links; whoever finds none free waits for one."""

    patience = 1.0
    """Seconds that a caller waits for a free link at most."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._slots = asyncio.Semaphore(self.max_connections)

    async def get_connection(
        self, command_name: Any = None, *keys: Any, **options: Any
    ) -> AbstractConnection:
        """A connected link that nobody else uses, checked for a peer that hung up meanwhile."""
        if self._slots.locked():
            try:
                async with asyncio.timeout(self.patience):
                    await self._slots.acquire()
            except TimeoutError:
                raise MaxConnectionsError(
                    f"all {self.max_connections} connections of this pool stayed in use"
                ) from None
        else:
            await self._slots.acquire()
        try:
            link = (
                self._available_connections.pop()
                if self._available_connections
                else self.connection_class(**self.connection_kwargs)
            )
        except BaseException:
            self._slots.release()
            raise
        self._in_use_connections.add(link)
        try:
            if link.is_connected and await self._is_stale(link):
                await link.disconnect(nowait=True)
            await link.connect()
        except BaseException:
            await link.disconnect(nowait=True)
            await self.release(link)
            raise
        return link

    @staticmethod
    async def _is_stale(link: AbstractConnection) -> bool:
        try:
            return await link.can_read()  # unread bytes: somebody else's reply
        except (redis.RedisError, OSError):
            return True  # hung up

    async def release(self, connection: AbstractConnection) -> None:
        """Take a link back, without waiting."""
        if connection not in self._in_use_connections:
            return
        self._in_use_connections.discard(connection)
        self._slots.release()
        if connection.should_reconnect():
            await connection.disconnect(nowait=True)
        self._available_connections.append(connection)
