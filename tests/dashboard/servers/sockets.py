"""A browser's socket, in process: channels.testing needs a second ASGI server to be installed."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from asgiref.testing import ApplicationCommunicator


class Socket(ApplicationCommunicator):
    """One socket to an ASGI application, from the handshake to the close."""

    def __init__(self, app: Any, address: str, headers: list[tuple[bytes, bytes]]) -> None:
        path, _, query = address.partition("?")
        scope = {
            "type": "websocket",
            "path": path,
            "query_string": query.encode(),
            "headers": headers,
            "subprotocols": [],
        }
        super().__init__(app, scope)
        self._heard: list[dict[str, Any]] = []

    async def connect(self) -> tuple[bool, int | None]:
        """Whether it was accepted, else the close code."""
        await self.send_input({"type": "websocket.connect"})
        answer = await self.receive_output(20)
        return answer["type"] == "websocket.accept", answer.get("code")

    async def say(self, text: str) -> None:
        await self.send_input({"type": "websocket.receive", "text": text})

    async def message(self, kind: str, seconds: float = 20.0) -> dict[str, Any]:
        """The next message of a kind; others are passed over, a close is an error."""
        async with asyncio.timeout(seconds):
            while True:
                while self._heard:
                    found = self._heard.pop(0)
                    if found["t"] == kind:
                        return found
                output = await self.receive_output(seconds)
                assert output["type"] == "websocket.send", output
                heard = json.loads(output["text"])
                self._heard += heard if isinstance(heard, list) else [heard]

    async def closed(self, seconds: float = 20.0) -> int:
        """The close code, after whatever else comes before it."""
        async with asyncio.timeout(seconds):
            while True:
                output = await self.receive_output(seconds)
                if output["type"] == "websocket.close":
                    code: int = output["code"]
                    return code

    async def leave(self) -> None:
        """The browser goes away."""
        await self.send_input({"type": "websocket.disconnect", "code": 1001})
        await self.wait(20)
