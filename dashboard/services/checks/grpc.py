"""The health of a gRPC server: one unary call, of which the two messages are a dozen bytes each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import H2Error

from dashboard.services.checks.exchange import Exchange, Failed

if TYPE_CHECKING:
    from dashboard.services.checks.wire import Ends

PATH = "/grpc.health.v1.Health/Check"
MOST = 16_384
STATUSES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
CODES = {5: "it knows no such service", 12: "it has no health service", 16: "it asks who we are"}


class _Answer:
    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.data = b""
        self.is_over = False

    def take(self, event: Event, connection: H2Connection) -> None:
        if isinstance(event, (ResponseReceived, TrailersReceived)):
            self.headers |= {_text(name): _text(value) for name, value in event.headers or ()}
        elif isinstance(event, DataReceived):
            self.data += event.data or b""
            if len(self.data) > MOST:
                raise Failed("fail", "its answer is above 16 KB")
            connection.acknowledge_received_data(
                event.flow_controlled_length or 0, event.stream_id or 1
            )
        elif isinstance(event, StreamReset):
            raise Failed("fail", f"it reset the call: {event.error_code!s}")
        elif isinstance(event, ConnectionTerminated):
            raise Failed("fail", f"it ended the connection: {event.error_code!s}")
        elif isinstance(event, StreamEnded):
            self.is_over = True


async def ask(service: str, ends: Ends, host: str, log: Exchange | None) -> dict[str, Any]:
    """Ask for the health of ``service`` ("" for the whole server). Raises ``Failed``."""
    reader, writer = ends
    connection = H2Connection(H2Configuration(client_side=True, header_encoding=None))
    connection.initiate_connection()
    headers = [
        (":method", "POST"), (":scheme", "http"), (":path", PATH), (":authority", host),
        ("content-type", "application/grpc"), ("te", "trailers"),
        ("user-agent", "redisops-check"),
    ]  # fmt: skip
    connection.send_headers(1, headers)
    name = service.encode()
    message = b"\x0a" + _varint(len(name)) + name if name else b""
    connection.send_data(1, b"\0" + len(message).to_bytes(4, "big") + message, end_stream=True)
    writer.write(connection.data_to_send())
    if log:
        log.note("Sent", f"{PATH} service={service!r}")
    answer, seen = _Answer(), 0
    try:
        while not answer.is_over:
            part = await reader.read(4_096)
            seen += len(part)
            if not part:
                raise Failed("fail", "the connection was closed without an answer")
            if seen > 2 * MOST:
                raise Failed("fail", "its answer is above 32 KB")
            for event in connection.receive_data(part):
                answer.take(event, connection)
            writer.write(connection.data_to_send())
    except H2Error as error:
        raise Failed("fail", "what came back is not HTTP/2") from error
    if log:
        log.note("Came back", "\n".join(f"{one}: {two}" for one, two in answer.headers.items()))
        log.note("Message", answer.data.hex(" "))
    return _told(answer)


def _told(answer: _Answer) -> dict[str, Any]:
    code = answer.headers.get("grpc-status", "")
    if answer.headers.get(":status") != "200" or not code.isdigit():
        raise Failed("fail", "what came back is not gRPC")
    if code != "0":
        said = answer.headers.get("grpc-message", "")[:80] or CODES.get(int(code[:3]), "")
        raise Failed("fail", f"gRPC status {code[:3]}: {said}")
    status = _status(answer.data)
    if status != 1:
        raise Failed("fail", f"gRPC health is {STATUSES.get(status, str(status))}")
    return {"status": status}


def _status(data: bytes) -> int:
    """The field ``status`` of a HealthCheckResponse behind its five bytes of framing."""
    message = data[5:]
    if len(data) >= 7 and message[0] == 0x08 and message[1] < 0x80:
        return message[1]
    return 0


def _varint(number: int) -> bytes:
    return bytes([number]) if number < 0x80 else bytes([number & 0x7F | 0x80, number >> 7])


def _text(value: bytes | str) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
