"""The door of one instance: says at ``/health`` whether it is well, on a port of loopback."""

from __future__ import annotations

import asyncio
import json
import random

MOST_BYTES = 4_096
SECONDS = 5.0
PATH = b"/health"


class Health:
    """``is_well`` False answers 503, another path 404. Slow by milliseconds, as services are."""

    def __init__(self, id: str) -> None:
        self.id, self.is_well = id, True
        self._server: asyncio.Server | None = None

    async def open(self) -> int:
        """Begin to answer; the port, free until now."""
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0, limit=MOST_BYTES)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(SECONDS):
                asked = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)
                await asyncio.sleep(random.lognormvariate(-6, 0.5))
                body = json.dumps({"id": self.id, "well": self.is_well}).encode()
                status = "200 OK" if self.is_well else "503 Service Unavailable"
                if len(asked) < 3 or asked[1].partition(b"?")[0] != PATH:
                    status, body = "404 Not Found", b"{}"
                head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
                head += f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return  # whoever asked is gone, or asked nonsense
        finally:
            writer.close()
