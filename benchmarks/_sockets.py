"""A thousand WebSockets in one process, that cost it so little that the worker is what is measured.

    python -m benchmarks._sockets <count> <port> <path> <cookie>

Says ``connected`` once all are; then answers each line on its input with one JSON line, what was
heard since the line before: ``{"messages", "frames", "p50", "p99"}``. A message is whatever holds
``MARK`` and the milliseconds of when it was sent; the times in milliseconds are those of every
fiftieth socket.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time

MARK = b"@sent="
DIGITS = 13
SAMPLED = 50
PONG, PING = 0x8A, 0x9


class Heard:
    """What all sockets of the process heard since it was last asked."""

    def __init__(self) -> None:
        self.opened = asyncio.Semaphore(0)
        self.forget()

    def forget(self) -> None:
        self.messages = self.frames = 0
        self.lags: list[int] = []

    def told(self) -> str:
        lags = sorted(self.lags) or [0]
        found = {
            "messages": self.messages,
            "frames": self.frames,
            "p50": lags[len(lags) // 2],
            "p99": lags[int(len(lags) * 0.99)],
        }
        self.forget()
        return json.dumps(found)


class Socket(asyncio.Protocol):
    """One WebSocket: reads the lengths of frames, counts the marks in them, answers pings."""

    def __init__(self, heard: Heard, request: bytes, *, is_sampled: bool) -> None:
        self.heard = heard
        self.request = request
        self.is_sampled = is_sampled
        self.is_open = False
        self.rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        data = self.rest + data
        if not self.is_open:
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                self.rest = head
                return
            if b" 101 " not in head[:20]:
                raise RuntimeError(head.decode("latin-1"))
            self.is_open = True
            self.heard.opened.release()
        at = 0
        while (end := _end(data, at)) is not None:
            self._take(data, at, *end)
            at = end[1]
        self.rest = data[at:]

    def _take(self, data: bytes, at: int, start: int, end: int) -> None:
        if data[at] & 0xF == PING:
            # Masked by zeros: the payload as it is.
            self.transport.write(bytes([PONG, 0x80 | (end - start), 0, 0, 0, 0]) + data[start:end])
            return
        count = data.count(MARK, start, end)
        if not count:
            return
        self.heard.frames += 1
        self.heard.messages += count
        if self.is_sampled:
            now = time.time() * 1000
            for part in data[start:end].split(MARK)[1:]:
                self.heard.lags.append(round(now - int(part[:DIGITS])))


def _end(data: bytes, at: int) -> tuple[int, int] | None:
    """Where the payload of the frame at ``at`` begins and ends; None when it is not all here."""
    if len(data) < at + 2:
        return None
    size, start = data[at + 1] & 0x7F, at + 2
    wide = {126: 2, 127: 8}.get(size, 0)
    if len(data) < start + wide:
        return None
    if wide:
        size = int.from_bytes(data[start : start + wide], "big")
    start += wide
    return (start, start + size) if len(data) >= start + size else None


async def main(count: int, port: int, path: str, cookie: str) -> None:
    heard = Heard()
    loop = asyncio.get_running_loop()
    for number in range(count):
        key = base64.b64encode(os.urandom(16)).decode()
        request = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nOrigin: http://127.0.0.1:{port}\r\nCookie: {cookie}\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode()
        is_sampled = number % SAMPLED == 0
        await loop.create_connection(
            lambda request=request, is_sampled=is_sampled: Socket(  # type: ignore[misc]
                heard, request, is_sampled=is_sampled
            ),
            "127.0.0.1",
            port,
        )
        await heard.opened.acquire()
    print("connected", flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(heard.told(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]))
