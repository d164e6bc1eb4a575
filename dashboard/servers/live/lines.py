"""The connection below a WebSocket: its buffer, and cutting it. ASGI has no word for either.

Uvicorn's ``send`` is a method of the protocol that holds the transport; below another server, or
in a test, there is none to be found, and nothing is done.
"""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

SEND_BUFFER = 128 * 1024
"""Bytes; Linux takes twice as many. Left to itself it keeps 4 MB for a page that does not read,
and so long takes as read what nobody reads."""
WAITING = 16 * 1024
"""Bytes that wait in this process beyond that, before a message counts as not taken."""


class Line:
    """What one socket's messages go out by."""

    def __init__(self, send: Any) -> None:
        self._transport: Any = getattr(getattr(send, "__self__", None), "transport", None)

    def bound(self) -> None:
        """Keep what waits for the other side small, in the system and in this process."""
        held = self._transport.get_extra_info("socket") if self._transport else None
        if held is not None:
            # Another descriptor of the same socket: uvloop's own takes no options.
            with socket.socket(fileno=os.dup(held.fileno())) as same:
                same.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            self._transport.set_write_buffer_limits(high=WAITING)

    def cut(self, seconds: float) -> None:
        """End the connection after so many seconds, whether all was sent or not.

        One that is closed with something left to send waits for its other side, with a
        descriptor and its buffers, for as long as that side likes.
        """
        if self._transport:
            asyncio.get_running_loop().call_later(seconds, self._transport.abort)
