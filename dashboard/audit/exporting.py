"""The audit as a file, made while it is sent: batch by batch, whatever its length."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse

from dashboard.audit.models import Entry

BATCH = 500
COLUMNS = (
    "number", "at", "actor", "address", "server", "action", "target", "result", "reason",
    "before", "after", "intent", "request_id", "target_bytes", "hash",
)  # fmt: skip
# A spreadsheet runs a cell that starts with one of these, full-width forms included.
FORMULA = tuple("=+-@\t\r\n＝＋－＠|%")

Render = Callable[[list[Entry]], str]


def cell(value: Any) -> str:
    """One CSV cell that no spreadsheet takes for a formula: text that could be one gets a quote."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


def csv_rows(entries: list[Entry]) -> str:
    return _csv([[cell(row[name]) for name in COLUMNS] for row in map(_row, entries)])


def csv_head() -> str:
    return _csv([list(COLUMNS)])


def json_rows(entries: list[Entry]) -> str:
    return "".join(json.dumps(_row(entry), ensure_ascii=True) + "\n" for entry in entries)


def _csv(rows: list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows(rows)
    return out.getvalue()


def _row(entry: Entry) -> dict[str, Any]:
    content = entry.content()
    return {name: content.get(name, entry.hash) for name in COLUMNS}


def response(
    request: HttpRequest, entries: QuerySet[Entry], how: str, name: str
) -> StreamingHttpResponse:
    """A download of ``entries`` as "csv" or "jsonl"; at most one batch of rows in memory."""
    is_csv = how == "csv"
    head, render = (csv_head(), csv_rows) if is_csv else ("", json_rows)
    # Django serves an iterator of the other kind by reading all of it first.
    is_async = isinstance(request, ASGIRequest)
    body = _awaited(entries, head, render) if is_async else _parts(entries, head, render)
    answer = StreamingHttpResponse(
        body,
        content_type="text/csv; charset=utf-8" if is_csv else "application/x-ndjson",
    )
    answer["Content-Disposition"] = f'attachment; filename="{name}.{how}"'
    answer["Cache-Control"] = "no-store"
    return answer


def _parts(entries: QuerySet[Entry], head: str, render: Render) -> Iterator[str]:
    yield head
    after: int | None = None
    while batch := _batch(entries, after):
        yield render(batch)
        after = batch[-1].number


async def _awaited(entries: QuerySet[Entry], head: str, render: Render) -> AsyncIterator[str]:
    yield head
    after: int | None = None
    fetch = sync_to_async(lambda: _batch(entries, after))
    while batch := await fetch():
        yield render(batch)
        after = batch[-1].number


def _batch(entries: QuerySet[Entry], after: int | None) -> list[Entry]:
    rest = entries if after is None else entries.filter(number__lt=after)
    return list(rest.order_by("-number")[:BATCH])
