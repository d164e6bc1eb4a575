"""What tests of checks share: servers that answer in every way, and both ways to ask them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import StreamEnded

from dashboard.services.checks import quick
from dashboard.services.checks.asking import ask
from dashboard.services.checks.exchange import Outcome
from dashboard.services.checks.quick import Quick
from dashboard.services.checks.spec import Check

HTTP = "HTTP/1.1 200 OK\r\nX-Ready: yes\r\nContent-Length: 5\r\n\r\nhello"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answering(text: str, seen: list[bytes] | None = None) -> Handler:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = await reader.readuntil(b"\r\n\r\n")
            if seen is not None:
                seen.append(head)
            writer.write(text.encode())
            await writer.drain()
        writer.close()

    return answer


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        await reader.read()
    writer.close()


async def healthy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A gRPC server that serves."""
    connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
    connection.initiate_connection()
    while part := await reader.read(4096):
        for event in connection.receive_data(part):
            if isinstance(event, StreamEnded):
                head = [(":status", "200"), ("content-type", "application/grpc")]
                connection.send_headers(1, head)
                connection.send_data(1, b"\0\0\0\0\x02\x08\x01")
                connection.send_headers(1, [("grpc-status", "0")], end_stream=True)
        writer.write(connection.data_to_send())
    writer.close()


async def listen(handler: Handler, **options: Any) -> tuple[asyncio.Server, int]:
    server = await asyncio.start_server(handler, "127.0.0.1", 0, **options)
    return server, server.sockets[0].getsockname()[1]


async def come(true: Callable[[], bool]) -> None:
    for _ in range(2_000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it does not come true")


async def both_ways(check: Check, port: int, host: str = "127.0.0.1") -> list[Outcome]:
    """By streams, and by the quick way if it is one of those."""
    found = [await ask(check, host, port)]
    if quick.can(check, host):
        loop, told = asyncio.get_running_loop(), asyncio.Event()

        def tell(outcome: Outcome) -> None:
            found.append(outcome)
            told.set()

        one = Quick(loop, check, host, port, lambda: 0.0, tell)
        if not one.is_over:
            loop.call_at(one.deadline, one.late)
        await told.wait()
    return found
