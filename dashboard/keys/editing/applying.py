"""Doing an edit: keep what it takes away, send it once, write down what came of it.

The order loses nothing: the inverse edit or the dump is committed to the recycle bin before the
edit is sent; what did not happen is then taken off its offers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from redis.exceptions import ConnectionError

from dashboard import undo
from dashboard.audit import record, recording
from dashboard.audit.models import Result
from dashboard.servers.models import Server
from redisops import keys
from redisops.dumps import Dump, Dumps, OutOfReach, TooBig, digest
from redisops.edits import (
    Copy,
    Edit,
    Edits,
    Exists,
    Expire,
    Missing,
    Outcome,
    Refused,
    Rename,
    Saved,
    Seen,
    SetString,
    Version,
)
from redisops.errors import UnknownResult


@dataclass(frozen=True)
class Done:
    """What came of an edit, and the removal that takes it back (None: nothing was kept)."""

    outcome: Outcome
    removal: Any = None


def apply(
    request: HttpRequest,
    server: Server,
    edit: Edit,
    *,
    action: str,
    reason: str = "",
    old: bytes | None = None,
    without_undo: bool = False,
) -> Done:
    """Send the edit once, audited; what it takes away is in the recycle bin before.

    ``old`` is the whole value that it replaces where that is at hand. Raises undo.CannotKeep
    (nothing was sent), UnknownResult, and what else a server's trouble raises.
    """
    redis = server.client()
    edits = Edits(redis)
    try:
        would = edits.apply(edit, dry=True)
    except UnknownResult as error:  # a dry run writes nothing, so this result is known
        raise ConnectionError("the connection was lost before anything was written") from error
    if not isinstance(would, Saved):
        _note_refusal(request, server, edit, would, action=action, reason=reason)
        return Done(would)
    kept = None if without_undo else _keep(request, server, edit, would, action, reason, old)
    if isinstance(edit, Rename | Copy) and edit.replace and not without_undo:
        edit = _only_over(edit, kept)
    try:
        with recording(
            request, action, server=server.slug, target=edit.key,
            before=told(edit, would.before), reason=reason,
        ) as entry:  # fmt: skip
            outcome = edits.apply(edit)
            if isinstance(outcome, Saved):
                entry.after = told(edit, outcome.after) | _also(edit, outcome)
            else:
                entry.result, entry.reason = Result.REFUSED, words_of(outcome)
    except UnknownResult:
        raise  # what is kept stays on offer: the edit may have happened
    except BaseException:
        if kept is not None:
            kept.settle("refused")
        raise
    if kept is not None:
        kept.settle("overwritten" if isinstance(outcome, Saved) else "refused")
    return Done(outcome, kept.removal if kept is not None and isinstance(outcome, Saved) else None)


@dataclass
class Kept:
    """One entry of the recycle bin that waits for its edit."""

    removal: Any
    entry: Any
    dump: Dump | None = None
    """What of the key is kept; None: the edit that takes it back."""

    def settle(self, word: str) -> None:
        # An inverse edit is on offer from the start.
        if not (self.dump is None and word == "overwritten"):
            self.removal.settle(self.entry, [word])


def _keep(
    request: HttpRequest, server: Server, edit: Edit, would: Saved, action: str, reason: str,
    old: bytes | None,
) -> Kept | None:  # fmt: skip
    inverse = would.inverse
    if isinstance(edit, SetString) and old is not None and edit.keep_ttl:
        inverse = SetString(edit.key, old, Seen.of(edit.value))
    takes = would.before.exists or isinstance(edit, Rename | Expire)
    is_over = isinstance(edit, Rename | Copy) and edit.replace
    if inverse is not None and takes and not is_over:
        return _keep_edit(request, server, edit, inverse, action, reason)
    if not edit.needs_dump:
        return None
    [taken] = Dumps(server.client()).take([edit.dump_key], max_bytes=settings.UNDO_VALUE_BYTES)
    if isinstance(taken, TooBig):
        raise undo.TooBig(undo.can_keep(server, taken.size, taken.size) or "It is too big to keep.")
    if isinstance(taken, OutOfReach):
        raise undo.CannotKeep(f"It cannot be kept for undo: {taken.why}.")
    if not isinstance(taken, Dump):  # nothing is there to be overwritten
        return _keep_edit(request, server, edit, inverse, action, reason) if inverse else None
    removal = undo.begin(request, server, action=action, why=reason)
    return Kept(removal, removal.keep([taken]), taken)


def _keep_edit(
    request: HttpRequest, server: Server, edit: Edit, inverse: Edit, action: str, reason: str
) -> Kept:
    removal = undo.begin(request, server, action=action, why=reason)
    return Kept(removal, removal.keep_edit(edit.key, inverse.to_dict()))


def _only_over(edit: Rename | Copy, kept: Kept | None) -> Edit:
    """The same edit, which replaces only what is kept: what is written meanwhile stays."""
    if kept is None or kept.dump is None:
        return replace(edit, replace=False)
    return replace(edit, over=digest(kept.dump.payload).decode())


def told(edit: Edit, version: Version) -> dict[str, Any]:
    """A version for the audit, which masks it by the names in it and cuts it."""
    if isinstance(edit, Rename | Copy):
        return {"name": version.data}
    if not version.exists:
        return {"value": None}
    if version.fields:
        return {"entry": version.data, "fields": dict(version.fields)}
    place = next((p for p in ("field", "member", "index", "path", "element", "offset", "id")
                  if hasattr(edit, p)), "")  # fmt: skip
    if not place:
        return {"value": version.data, "bytes": version.length}
    which = getattr(edit, place)
    name = keys.printable(which) if isinstance(which, bytes) else str(which)
    return {name: version.data, "bytes": version.length}


def _also(edit: Edit, outcome: Saved) -> dict[str, Any]:
    return {"note": outcome.note} if outcome.note else {}


def _note_refusal(
    request: HttpRequest, server: Server, edit: Edit, outcome: Outcome, *, action: str, reason: str
) -> None:
    record(
        request, action, server=server.slug, target=edit.key, result=Result.REFUSED,
        reason=words_of(outcome) or reason,
    )  # fmt: skip


def words_of(outcome: Outcome) -> str:
    """Why nothing was written, in a sentence."""
    match outcome:
        case Missing(what):
            return f"The {what} is gone by now."
        case Exists(what):
            return f"Such a {what} is there already."
        case Refused(reason):
            return reason
    return "Somebody changed it meanwhile."
