"""The responder's sockets: UDP, and TCP for what does not fit."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import cast

from dashboard.services.dns.answering import MOST_BYTES, Find, answer

MOST_CONNECTIONS = 64
IDLE = 5.0


class Datagrams(asyncio.DatagramProtocol):
    """Answers each datagram by itself."""

    def __init__(self, find: Find) -> None:
        self.find = find
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio's own class for it is no subclass of DatagramTransport.
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = answer(data, self.find)
        if reply is not None and self.transport is not None:
            self.transport.sendto(reply, addr)


class Connections:
    """Answers over TCP: few at once, and whoever is silent is sent away."""

    def __init__(self, find: Find) -> None:
        self.find = find
        self.count = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, as long as questions come."""
        self.count += 1
        try:
            if self.count <= MOST_CONNECTIONS:
                await self._serve(reader, writer)
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            return  # silent, gone, or gone in mid-question: nobody is there to be told
        finally:
            self.count -= 1
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(IDLE):
                size = int.from_bytes(await reader.readexactly(2))
                if size > MOST_BYTES:
                    return
                question = await reader.readexactly(size)
                reply = answer(question, self.find, tcp=True)
                if reply is None:
                    return
                writer.write(len(reply).to_bytes(2) + reply)
                await writer.drain()


@contextlib.asynccontextmanager
async def serving(host: str, port: int, find: Find) -> AsyncIterator[int]:
    """Answer at ``host`` and ``port``, both ways; gives the port, which 0 lets the system choose.

    Raises OSError when the port is taken.
    """
    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(Connections(find).serve, host, port, limit=MOST_BYTES)
    port = server.sockets[0].getsockname()[1]
    try:
        transport, _ = await loop.create_datagram_endpoint(
            lambda: Datagrams(find), local_addr=(host, port)
        )
    except OSError:
        server.close()
        raise
    try:
        yield port
    finally:
        transport.close()
        server.close()
