"""Blocking connections: TCP, TLS or unix socket; every wait ends with the running call."""

# The overridden methods have redis-py's signatures and call its untyped internals.
# ruff: noqa: FBT001, FBT002
# mypy: allow-untyped-calls

from __future__ import annotations

import errno
import socket
import time
from typing import Any

import redis
from redis.connection import Connection
from redis.utils import SENTINEL

from redisops.connection.call import at_most, mark_sent
from redisops.connection.handshake import Greeting, judge, knows_no_hello
from redisops.connection.options import Permit
from redisops.connection.sockets import TimedSocket, left_until, resolve
from redisops.connection.tls import NO_TLS_ANSWER, TLS
from redisops.errors import DeadlineExceeded


class Link(Connection):
    """One connection. What is the same for all links of a pool is set on a subclass (``like``)."""

    tls: TLS | None = None
    path: str | None = None
    touch: bool = True
    replica: bool = False
    _sock: Any  # None while not connected; redis-py declares only that

    permit: Permit | None = None

    @classmethod
    def like(
        cls, *, tls: TLS | None, path: str | None, touch: bool, permit: Permit | None = None,
        replica: bool = False,
    ) -> type[Link]:  # fmt: skip
        """A class of links with these properties: redis-py's pools only hand on what they know."""
        allowed = staticmethod(permit) if permit is not None else None
        same = {"tls": tls, "path": path, "touch": touch, "permit": allowed, "replica": replica}
        return type(cls.__name__, (cls,), same)

    def on_connect_check_health(self, check_health: bool = True) -> None:
        """Say everything in one write and judge the replies: one round trip."""
        self._reset_himport_state()
        self._parser.on_connect(self)
        greeting = Greeting(
            self.client_name, self.username, self.password, int(self.db), self.touch, self.replica
        )
        commands = greeting.commands()
        replies = self._say(commands)
        if knows_no_hello(replies[0]):
            commands = greeting.commands_without_hello()
            replies = self._say(commands)
        self.handshake_metadata = judge(commands, replies)

    def _say(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        words = b"".join(b"".join(self._command_packer.pack(*command)) for command in commands)
        try:
            self._sock.sendall(words)
        except TimeoutError as error:
            raise redis.TimeoutError("Timeout writing to socket") from error
        except OSError as error:
            # A server that is full says so and hangs up before it reads: look for its words.
            replies = [self._reply()]
            if isinstance(replies[0], redis.ConnectionError) and replies[0].status_code:
                raise replies[0] from error
            raise redis.ConnectionError(self._error_message(error)) from error
        replies = [self._reply()]
        if isinstance(replies[0], redis.ConnectionError | redis.TimeoutError):
            raise replies[0]  # no use in waiting for the others
        return replies + [self._reply() for _ in commands[1:]]

    def _reply(self) -> Any:
        try:
            return self.read_response(disconnect_on_error=False)
        except (redis.RedisError, DeadlineExceeded) as error:
            return error

    def read_response(
        self,
        disable_decoding: bool = False,
        *,
        timeout: Any = SENTINEL,
        disconnect_on_error: bool = True,
        push_request: bool = False,
    ) -> Any:
        """The next reply; redis-py's method without what only RESP3 and its metrics need."""
        try:
            reply = self._parser.read_response(disable_decoding=disable_decoding, timeout=timeout)
        except BaseException as error:
            if disconnect_on_error:
                self.disconnect()
            if isinstance(error, OSError):  # a socket's own timeout comes as redis.TimeoutError
                raise redis.ConnectionError(
                    f"while reading: {self._error_message(error)}"
                ) from error
            raise
        if isinstance(reply, redis.ResponseError):
            raise reply
        return reply

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Send a pipeline's bytes (and, through ``send_command``, a command's)."""
        self._send(command, None)

    def send_command(self, *args: Any, **kwargs: Any) -> None:
        """Pack and send one command."""
        self._send(self._command_packer.pack(*args), args[0])

    def _send(self, chunks: Any, name: Any) -> None:
        if self._sock is None:
            self.connect()
        if isinstance(chunks, str | bytes):
            chunks = [chunks.encode() if isinstance(chunks, str) else chunks]
        mark_sent(name)
        try:
            for chunk in chunks:
                self._sock.sendall(chunk)
        except TimeoutError as error:
            self.disconnect()
            raise redis.TimeoutError("Timeout writing to socket") from error
        except OSError as error:
            self.disconnect()
            raise redis.ConnectionError(f"while writing: {self._error_message(error)}") from error
        except BaseException:
            self.disconnect()
            raise

    def _connect(self) -> Any:
        limit = at_most(self.socket_connect_timeout)
        end = None if limit is None else time.monotonic() + limit
        path = self.path
        plain = self._open_tcp(end) if path is None else self._open_unix(path, end)
        try:
            if self.tls is not None:
                plain.settimeout(left_until(end))
                plain = self.tls.context().wrap_socket(
                    plain, server_hostname=self.tls.server_name or self.host
                )
        except BaseException as error:
            plain.close()
            if isinstance(error, TimeoutError):
                raise redis.TimeoutError(NO_TLS_ANSWER) from error
            raise
        return TimedSocket(plain, self.socket_timeout)

    @staticmethod
    def _open_unix(path: str, end: float | None) -> socket.socket:
        plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            plain.settimeout(left_until(end))
            plain.connect(path)
        except BaseException:
            plain.close()
            raise
        return plain

    def _open_tcp(self, end: float | None) -> socket.socket:
        problem: OSError | None = None
        for family, kind, protocol, _, address in resolve(self.host, self.port, end):
            if self.permit is not None:
                self.permit(address[0])
            plain = socket.socket(family, kind, protocol)
            try:
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                for option, value in self.socket_keepalive_options.items():
                    plain.setsockopt(socket.IPPROTO_TCP, option, value)
                plain.settimeout(left_until(end))
                plain.connect(address)
                return plain
            except OSError as error:
                plain.close()
                problem = error
        raise problem or OSError(errno.EADDRNOTAVAIL, f"{self.host} has no address")

    def _host_error(self) -> str:
        return self.path if self.path is not None else f"{self.host}:{self.port}"
