"""What can keep an edit from being made: a server in trouble, a lost reply, a protected key."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from redis.exceptions import ConnectionError, RedisError

from dashboard.audit import record
from dashboard.keys.editing.showing import Note, Page
from dashboard.servers.models import Server
from dashboard.servers.secrets import SecretUnreadable
from redisops.errors import RedisopsError, UnknownResult

TROUBLE = (RedisError, RedisopsError, SecretUnreadable)
PROTECTED = "It belongs to the console itself: its sessions, cache and queues live below this name."


def note_plain(error: BaseException) -> Note:
    """For a look: it writes nothing, so one that was cut off leaves nothing unknown."""
    if isinstance(error, UnknownResult):
        return Note.of(ConnectionError("the connection was lost before anything was written"))
    return Note.of(error)


def protected(request: HttpRequest, page: Page, action: str) -> HttpResponse:
    """The console's own keys are never written, by anybody."""
    if request.method == "POST":
        record(
            request, action, server=page.server.slug, target=page.key or b"", result="refused",
            reason="the console's own key",
        )  # fmt: skip
    return page.closed(PROTECTED, status=403, title="This key is never changed here")


def note_result(request: HttpRequest, server: Server, edit: Any, action: str, verdict: str) -> None:
    """What a check found goes into the audit beside the unknown result."""
    found = {"done": "ok", "not done": "failed", "unclear": "unknown"}[verdict]
    record(
        request, action, server=server.slug, target=edit.key, result=found,
        reason=f"looked after a lost reply: {verdict}",
    )  # fmt: skip
