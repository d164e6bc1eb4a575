"""Send an edit and read what became of it, blocking or awaiting."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any, Literal

from redis.crc import key_slot
from redis.exceptions import NoScriptError, ResponseError

from redisops import scripts
from redisops.connection.features import Features
from redisops.edits.boards import BoardBack
from redisops.edits.creation import COMMANDS, Create
from redisops.edits.edit import OPERATIONS, Edit
from redisops.edits.outcomes import Conflict, Exists, Missing, Outcome, Refused, Saved
from redisops.edits.whole import Expire, Rename, other_slot
from redisops.errors import InvalidArgument
from redisops.resilience import diagnose
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.values.calls import is_cluster

Check = Literal["done", "not done", "unclear"]


class _Edits:
    """Edits of the keys of one server or cluster."""

    def __init__(self, redis: Any) -> None:
        self.redis = redis

    @step
    def apply(self, edit: Edit, *, dry: bool = False) -> Steps[Outcome]:
        """Do the edit if what the person saw is still there. One round trip.

        ``dry`` compares and writes nothing; the outcome is what it would be. An error that the
        server answers (no right, out of memory, read-only, not supported) is ``Refused``:
        nothing was written. Raises redis.ConnectionError and its kin when the server cannot be
        reached, and UnknownResult when the reply was lost: it was done once or not at all. Use
        a client of redisops.connection: redis-py's own default sends a lost write again.
        """
        return (yield from self._apply(edit, dry))

    def _apply(self, edit: Edit, dry: bool) -> Steps[Outcome]:  # noqa: FBT001
        if is_cluster(self.redis) and len({key_slot(key) for key in edit.keys}) > 1:
            return other_slot(edit)
        text = scripts.source(edit.script)
        digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        call = (len(edit.keys), *edit.keys, int(dry), *edit.arguments())
        try:
            try:
                reply = yield self.redis.execute_command("EVALSHA", digest, *call)
            except NoScriptError:
                reply = yield self.redis.execute_command("EVAL", text, *call)
        except ResponseError as error:
            return refused(edit, error)
        return edit.outcome(reply)

    @step
    def check(self, edit: Edit) -> Steps[Check]:
        """Whether an edit whose reply was lost took place, by what is there now. Writes nothing.

        "unclear" when someone changed it meanwhile, or when what is there cannot tell: one more
        element of a list, one more entry of a stream. One round trip, of a rename two.
        """
        if isinstance(edit, Expire):  # its guard may hold again after it was done
            edit = replace(edit, seen=edit.at, within=0)
            outcome = yield from self._apply(edit, dry=True)
            if isinstance(outcome, Saved):
                return "done"
            return "not done" if isinstance(outcome, Conflict) else "unclear"
        outcome = yield from self._apply(edit, dry=True)
        if isinstance(edit, Rename) and isinstance(outcome, Missing):
            back = yield from self._apply(Rename(edit.to, edit.key, kind=edit.kind), dry=True)
            return "done" if isinstance(back, Saved) else "unclear"
        if isinstance(edit, BoardBack) and isinstance(outcome, Missing):
            # Only this edit makes the third name, and only when something was there to put aside.
            told = yield from self._apply(Rename(edit.aside, edit.key, kind=edit.type), dry=True)
            return "done" if isinstance(told, Saved) else "unclear"
        return _verdict(edit, outcome)

    @staticmethod
    def lacks(features: Features, operation: str, kind: str = "") -> str:
        """ "" when the server has what the operation needs, else why its control is greyed.

        ``operation`` is one of OPERATIONS ("hash.expire"); ``kind`` is that of a Create ("json").
        """
        if operation not in OPERATIONS:
            raise InvalidArgument(f"{operation[:80]!r} is no operation of an edit")
        commands = OPERATIONS[operation].commands
        if kind and OPERATIONS[operation] is Create:
            commands = (*commands, COMMANDS[kind])
        return next(filter(None, map(features.lacks, commands)), "")


class Edits(_Edits, Blocking):
    """Edits of the keys of one server or cluster, through a blocking client."""


class AsyncEdits(_Edits, Awaiting):
    """Edits of the keys of one server or cluster, through an awaiting client."""


def refused(edit: Edit, error: ResponseError) -> Refused:
    """The server's error as a refusal in words."""
    detail = str(error)
    if "unknown" in detail.lower() and "command" in detail.lower():
        command = COMMANDS[edit.kind] if isinstance(edit, Create) else edit.commands[-1]
        return Refused(f"This server has no {command}.", detail)
    trouble = diagnose(error)
    return Refused(f"{trouble.sentence} Nothing was changed.", trouble.detail, trouble.next_step)


def _verdict(edit: Edit, outcome: Outcome) -> Check:
    match outcome:
        case Saved():
            return "unclear" if edit.repeats else "not done"
        case Conflict(now=now) | Exists(now=now) if now.exists and not now.type:
            return "done" if edit.is_done(now) else "unclear"
        case Missing() if not edit.intended.exists:
            return "done"
    return "unclear"
