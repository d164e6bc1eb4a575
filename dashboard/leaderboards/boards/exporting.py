"""A board as CSV: streamed, read in parts, bounded."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterator
from typing import Any

import redis
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.views.decorators.http import require_safe

from dashboard.audit import record
from dashboard.leaderboards.boards import places, reading, showing
from dashboard.leaderboards.boards.places import Place
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from redisops import keys
from redisops.leaderboards import Leaderboard
from redisops.resilience import deadline, diagnose

PART = 1_000
MOST = 1_000_000
PART_SECONDS = 2.5
HEAD = ("rank", "member", "score")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@require_safe
@on_server("leaderboards.read")
def export(request: HttpRequest, server: Server, key: bytes) -> Any:
    """Rank, member and score of up to a million members, best first.

    Members are written with escapes as everywhere (``\\x00``), so that importing the file gives
    the same bytes. What members write meanwhile may move somebody between two parts.
    """
    place = places.of_key(server, key)
    library = place.library()
    try:
        size = library.count()
    except redis.ResponseError as error:
        page = reading.troubled(error)
        return HttpResponse(page.words, status=page.status, content_type="text/plain")
    if not size:
        return HttpResponse(reading.GONE, status=404, content_type="text/plain")
    record(request, "leaderboards.export", server=server.slug, target=key,
           after={"members": min(size, MOST)})  # fmt: skip
    lines = _lines(place, library, size)
    answer = StreamingHttpResponse(
        _awaited(lines) if isinstance(request, ASGIRequest) else lines,
        content_type="text/csv; charset=utf-8",
    )
    name = "".join(c if c.isalnum() and c.isascii() else "-" for c in place.name)[:60].strip("-")
    answer["Content-Disposition"] = f'attachment; filename="{name or "leaderboard"}.csv"'
    answer["Cache-Control"] = "no-store"
    return answer


async def _awaited(lines: Iterator[bytes]) -> AsyncIterator[bytes]:
    # Under ASGI a plain iterator would be read to its end before the first byte is sent.
    following = sync_to_async(lambda: next(lines, None))
    while (chunk := await following()) is not None:
        yield chunk


def _lines(place: Place, library: Leaderboard, size: int) -> Iterator[bytes]:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(HEAD)
    for start in range(0, min(size, MOST), PART):
        try:
            with deadline(PART_SECONDS):
                found = library.page(start, min(PART, MOST - start))
        except redis.RedisError as error:
            # The answer has begun: the file itself must say that it is not whole.
            writer.writerow([f"# not whole: {diagnose(error).sentence}"])
            break
        for one in found:
            writer.writerow([one.rank, spelled(one.member), showing.raw(one.score)])
        yield _taken(file)
        if not found:
            break
    if size > MOST:
        writer.writerow([f"# not whole: the first {MOST:,} of {size:,} members"])
    yield _taken(file)


def spelled(member: bytes) -> str:
    """As people read it. What a spreadsheet would take for a formula begins with an escape."""
    text = keys.printable(member)
    if text.startswith(FORMULA):
        return f"\\x{ord(text[0]):02x}{text[1:]}"
    return text


def _taken(file: io.StringIO) -> bytes:
    text = file.getvalue()
    file.seek(0)
    file.truncate()
    return text.encode()
