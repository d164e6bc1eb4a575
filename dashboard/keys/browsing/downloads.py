"""A value as a stream: never more than a window of it in memory, whichever way Django is served."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.http import content_disposition_header

from dashboard.servers.models import Server
from redisops import keys
from redisops.values import AsyncValues, Values

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def filename(key: bytes, kind: str) -> str:
    """A name that every system takes: letters, digits, dots, hyphens; never a path or hidden."""
    name = _UNSAFE.sub("_", keys.printable(key)).strip("._-")[:80].strip("._-")
    return f"{name or 'value'}.{'bin' if kind == 'string' else 'jsonl'}"


def stream(request: HttpRequest, server: Server, key: bytes, kind: str) -> StreamingHttpResponse:
    """The response. An error on the way breaks the connection off, so that nobody takes a part
    of a value for the whole.
    """
    # Under ASGI a plain iterator would be read to its end before the first byte is sent.
    chunks = (
        _awaiting(server, key)
        if isinstance(request, ASGIRequest)
        else Values(server.client()).chunks(key)
    )
    return StreamingHttpResponse(
        chunks,
        content_type="application/octet-stream" if kind == "string" else "application/x-ndjson",
        headers={
            "Content-Disposition": content_disposition_header(
                as_attachment=True, filename=filename(key, kind)
            )
            or "attachment",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cache-Control": "no-store",
        },
    )


async def _awaiting(server: Server, key: bytes) -> AsyncIterator[bytes]:
    async for chunk in AsyncValues(server.async_client()).chunks(key):
        yield chunk
