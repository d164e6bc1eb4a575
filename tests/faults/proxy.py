"""A TCP proxy that misbehaves on demand, between a client under test and a real server.

    with Proxy(server.port) as proxy:
        client = connect(proxy.url)
        proxy.mode("latency", seconds=0.5)
        ...
        proxy.heal()

Modes (one at a time; a change holds from the next request on, in open connections too):

    pass                          bytes go through (``heal()``)
    latency(seconds)              each request waits this long before the server gets it
    down()                        connections are reset and new ones refused
    blackhole()                   connections are accepted, nothing ever comes back
    cut()                         no byte passes, either way, and nobody is told, as with a pulled
                                  cable: what was sent meanwhile arrives once it is healed
    reset_after(count, match=b"") ``count`` bytes of the reply arrive, then the connection is reset
    lose_reply(match=b"")         the server gets the request and answers; the answer is thrown
                                  away and the connection reset
    trickle(seconds)              replies arrive byte by byte, this far apart
    slicer(size)                  bytes arrive in pieces of ``size``, both ways
    bandwidth(rate)               ``rate`` bytes a second, both ways

``match`` restricts a mode to requests that hold these bytes (``b"INCR"``), so that a handshake
gets through; ``times`` restricts it to so many requests, after which the proxy heals itself.
``round_trips`` counts how often a client spoke after having listened (or for the first time),
``connections`` how many there were, ``requests`` is all that clients sent, in order.

Faults of the server itself are in ``tests.servers``: ``pause`` (SIGSTOP), ``kill``, ``start``
again (empty), ``replica_of``, ``full``, ``loading``, ``busy``, ``unsaveable``, ``restricted``.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

from tests.servers import free_port

MODES = (
    "pass", "latency", "down", "blackhole", "cut", "reset_after", "lose_reply",
    "trickle", "slicer", "bandwidth",
)  # fmt: skip


@dataclass(frozen=True)
class Toxic:
    """What is done to the bytes."""

    kind: str = "pass"
    seconds: float = 0.0
    count: int = 0
    size: int = 1
    rate: float = 0.0
    match: bytes = b""
    times: int | None = None


@dataclass(eq=False)
class Line:
    """One client's connection through the proxy."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    listened: bool = True
    struck: Toxic | None = None
    passed: int = 0
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def reset(self) -> None:
        """RST to both sides: no FIN, nothing that was sent but not read survives."""
        for writer in (self.client, self.server):
            plain = writer.get_extra_info("socket")
            if plain is not None:
                with contextlib.suppress(OSError):
                    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class Proxy:
    """Forwards a port of its own to ``port``; runs in a thread. A context manager."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.port = free_port()
        self.requests: list[bytes] = []
        self.round_trips = 0
        self.connections = 0
        self._toxic = Toxic()
        self._lines: set[Line] = set()
        self._loop = asyncio.new_event_loop()
        self._listener: asyncio.Server | None = None
        self._whole = asyncio.Event()
        self._whole.set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def mode(self, kind: str, **options: Any) -> None:
        """Misbehave like this from now on."""
        if kind not in MODES:
            raise ValueError(f"{kind!r} is none of {', '.join(MODES)}")
        self._call(self._change(Toxic(kind, **options)))

    def heal(self) -> None:
        """Let everything through again."""
        self.mode("pass")

    def drop(self) -> None:
        """Reset the connections there are; new ones are as the mode says."""
        self._call(self._drop())

    def forget(self) -> None:
        """Start all counts anew."""
        self.requests, self.round_trips, self.connections = [], 0, 0

    def __enter__(self) -> Proxy:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *details: object) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work: Any) -> None:
        done: Future[None] = asyncio.run_coroutine_threadsafe(work, self._loop)
        done.result(10)

    async def _change(self, toxic: Toxic) -> None:
        self._toxic = toxic
        if toxic.kind == "cut":
            self._whole.clear()
        else:
            self._whole.set()
        if toxic.kind == "down":
            await self._deafen()
            await self._drop()
        elif self._listener is None:
            await self._listen()

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def _deafen(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def _drop(self) -> None:
        """Return when it has happened: a socket is closed in a later turn of the loop."""
        for line in tuple(self._lines):
            line.reset()
        for _ in range(3):
            await asyncio.sleep(0)

    async def _close(self) -> None:
        await self._deafen()
        await self._drop()
        tasks = [task for line in self._lines for task in line.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            back, server = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            client.transport.abort()
            return
        line = Line(client, server)
        self._lines.add(line)
        line.tasks = [
            asyncio.ensure_future(self._forth(line, reader)),
            asyncio.ensure_future(self._back(line, back)),
        ]
        await asyncio.gather(*line.tasks, return_exceptions=True)
        self._lines.discard(line)
        for writer in (client, server):
            writer.close()

    async def _forth(self, line: Line, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._whole.wait()
                self.requests.append(data)
                if line.listened:
                    line.listened = False
                    self.round_trips += 1
                    line.struck, line.passed = self._strike(data), 0
                toxic = line.struck or Toxic()
                if toxic.kind == "latency":
                    await asyncio.sleep(toxic.seconds)
                if toxic.kind != "blackhole":
                    await self._write(line.server, data, toxic)
        line.server.close()

    async def _back(self, line: Line, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._whole.wait()
                line.listened = True
                toxic = line.struck or Toxic()
                if toxic.kind == "lose_reply":
                    line.reset()
                    return
                if toxic.kind == "reset_after":
                    keep = data[: max(0, toxic.count - line.passed)]
                    line.passed += len(keep)
                    await self._write(line.client, keep, Toxic())
                    if line.passed >= toxic.count:
                        await asyncio.sleep(0.02)  # let the bytes be read before the reset
                        line.reset()
                        return
                    continue
                if toxic.kind == "trickle":
                    toxic = replace(toxic, kind="slicer", size=1)
                await self._write(line.client, data, toxic)
        line.client.close()

    def _strike(self, data: bytes) -> Toxic:
        """The toxic for this request, one of its ``times`` used up."""
        toxic = self._toxic
        if toxic.match not in data:
            return Toxic()
        if toxic.times is not None:
            self._toxic = replace(toxic, times=toxic.times - 1) if toxic.times > 1 else Toxic()
        return toxic

    @staticmethod
    async def _write(writer: asyncio.StreamWriter, data: bytes, toxic: Toxic) -> None:
        if toxic.kind in ("slicer", "bandwidth"):
            size = toxic.size if toxic.kind == "slicer" else max(1, int(toxic.rate / 20))
            pause = toxic.seconds if toxic.kind == "slicer" else size / toxic.rate
            for at in range(0, len(data), size):
                writer.write(data[at : at + size])
                await writer.drain()
                await asyncio.sleep(pause)
            return
        writer.write(data)
        await writer.drain()
