"""The one way into the audit."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import Error as SqlError
from django.db import connection, transaction
from django.http import HttpRequest

from dashboard.audit import chain, masking
from dashboard.audit.actors import actor_of
from dashboard.audit.errors import AuditUnavailable
from dashboard.audit.models import Entry, Head, Result
from redisops import keys
from redisops.errors import UnknownResult

log = structlog.get_logger(__name__)

TARGET_LIMIT = 65_536
# How long a writer waits for the others before the change is refused.
LOCK_MILLISECONDS = 2_500

Who = HttpRequest | str


def record(
    who: Who,
    action: str,
    *,
    server: str | None = None,
    target: str | bytes = "",
    before: Any = None,
    after: Any = None,
    result: str = Result.OK,
    reason: str = "",
    hide_values: bool = False,
    intent: int | None = None,
) -> Entry:
    """Add one row to the chain and return it; raises ``AuditUnavailable`` when that fails.

    For a decision kept in SQL, call it in the same transaction: either both stay or neither.
    ``before`` and ``after`` are cleaned of secrets and bounded; ``hide_values`` masks them whole.
    ``intent`` is the number of the intention that this row is the outcome of, where both are
    written by different processes; else ``recording`` does it.
    """
    told = Told(who, action, server, target, hide_values)
    entry = _entry(told, before=before, after=after, result=result, reason=reason, intent=intent)
    return _append(entry)


@dataclass(frozen=True)
class Told:
    """What an intention and its outcome have in common."""

    who: Who
    action: str
    server: str | None
    target: str | bytes
    hide_values: bool

    @property
    def hides(self) -> bool:
        by_rule = isinstance(self.target, bytes) and masking.hides_values_of(self.target)
        return self.hide_values or by_rule


def _entry(
    told: Told,
    *,
    before: Any = None,
    after: Any = None,
    result: str,
    reason: str,
    intent: int | None = None,
) -> Entry:
    actor = actor_of(told.who)
    target = told.target
    return Entry(
        actor=masking.text(actor.name, 150),
        address=actor.address,
        request_id=actor.request_id,
        server=(told.server or "")[:60],
        action=told.action[:100],
        target=masking.text(_shown(target), 1000),
        # A text is its own spelling, and the bytes of a URL would keep the password it had.
        target_bytes=target[:TARGET_LIMIT] if isinstance(target, bytes) else b"",
        before=masking.cleaned(before, hide=told.hides),
        after=masking.cleaned(after, hide=told.hides),
        result=Result(result),
        reason=masking.text(reason, 500),
        intent=intent,
    )


def _shown(target: str | bytes) -> str:
    return target if isinstance(target, str) else keys.printable(target[:1000])


class Recording:
    """A change on its way: set ``after`` (and ``reason``) to what became of it."""

    def __init__(self, intent: Entry) -> None:
        self.intent = intent
        self.after: Any = None
        self.reason = ""
        self.result = Result.OK


@contextmanager
def recording(
    who: Who,
    action: str,
    *,
    server: str | None = None,
    target: str | bytes = "",
    before: Any = None,
    reason: str = "",
    hide_values: bool = False,
) -> Iterator[Recording]:
    """Surround a change outside SQL: its intention is committed first, its outcome afterwards.

    Must not run inside a transaction (RuntimeError), because an intention that can be rolled
    back protects nothing. An error in the body is recorded as failed, ``UnknownResult`` as
    unknown, and raised again.
    """
    told = Told(who, action, server, target, hide_values)
    intent = _append(_entry(told, before=before, result=Result.INTENT, reason=reason), durable=True)
    entry = Recording(intent)
    try:
        yield entry
    except BaseException as error:
        _close_failed(told, entry, error)
        raise
    number = intent.number
    outcome = _entry(
        told, after=entry.after, result=entry.result, reason=entry.reason or reason, intent=number
    )
    try:
        _append(outcome)
    except AuditUnavailable as error:
        raise AuditUnavailable(has_happened=True, intent=number) from error


def _close_failed(told: Told, entry: Recording, error: BaseException) -> None:
    """The error itself matters most to the person: it goes on even if its row cannot be written.

    The intention then stays open in the audit, which shows it as begun without an outcome.
    """
    kind = type(error).__name__
    result = Result.UNKNOWN if isinstance(error, UnknownResult) else Result.FAILED
    # Redis quotes arguments in some of its errors.
    reason = kind if told.hides else f"{kind}: {error}"
    row = _entry(told, after=entry.after, result=result, reason=reason, intent=entry.intent.number)
    try:
        _append(row)
    except AuditUnavailable:
        log.error("audit.outcome_lost", intent=entry.intent.number, result=str(result))


def _append(entry: Entry, *, durable: bool = False) -> Entry:
    """Take the next number, alone among all processes, and seal the row and the head."""
    key = chain.current_key()
    try:
        with transaction.atomic(durable=durable):
            _wait_for_turn()
            head = Head.objects.select_for_update().filter(pk=1).first() or Head(pk=1)
            entry.number = head.number + 1
            entry.at = datetime.datetime.now(datetime.UTC)
            entry.key_id = chain.key_id(key)
            entry.prev_hash = head.hash
            entry.hash = chain.seal(key, entry.content())
            entry.save(force_insert=True)
            head.number, head.hash, head.key_id = entry.number, entry.hash, entry.key_id
            head.seal = chain.seal(key, head.content())
            head.save()
    except SqlError as error:
        log.error("audit.unavailable", action=entry.action, error=type(error).__name__)
        raise AuditUnavailable from error
    return entry


def _wait_for_turn() -> None:
    """One writer at a time; SQLite took its only write lock at BEGIN (mode IMMEDIATE)."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout')")
        usual = cursor.fetchone()[0]
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{LOCK_MILLISECONDS}ms"])
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [chain.LOCK])
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [usual])
