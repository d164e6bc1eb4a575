"""A server that is not to be believed: it answers what it was told to, whatever the command."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import hiredis


def wire(value: Any) -> bytes:
    """A value as RESP2: bytes (sent as they are when they begin with "!raw "), numbers, lists."""
    if isinstance(value, int):
        return b":%d\r\n" % value
    if isinstance(value, list):
        return b"*%d\r\n" % len(value) + b"".join(map(wire, value))
    if value.startswith(b"!raw "):
        return value[5:]
    return b"$%d\r\n%b\r\n" % (len(value), value)


@contextmanager
def lying(answers: dict[bytes, Any]) -> Iterator[int]:
    """Its port. ``answers``: by a command's words ("COMMAND DOCS"), else its name, else OK."""
    sent = {name: wire(value) for name, value in answers.items()}

    class Talk(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            parser = hiredis.Reader()
            while data := self.request.recv(65536):
                parser.feed(data)
                while (args := parser.gets()) is not False:
                    words = [bytes(one).upper() for one in args]
                    told = sent.get(b" ".join(words[:2]), sent.get(words[0], b"+OK\r\n"))
                    self.request.sendall(told)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Talk) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
