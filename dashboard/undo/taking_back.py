"""Taking an edit of one member back by the edit that was kept with it."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from redis.exceptions import RedisError

from dashboard.servers.models import Server
from dashboard.undo import marks
from dashboard.undo.models import Chunk
from dashboard.undo.options import Options
from dashboard.undo.putting import OTHER_NAME, OWN, STAYED, Opener, remark
from dashboard.undo.removing import why_not
from redisops.dumps import Dump, Dumps
from redisops.edits import BoardBack, Conflict, Edit, Edits, Exists, Missing, Refused, Saved
from redisops.errors import RedisopsError, UnknownResult

ELSEWHERE = "refused: a change inside a key can only be taken back where it was made"

LOST = (
    "unclear: the archive is not there any more. Either the last try, whose reply was lost, put it "
    "back under its own name, or somebody removed it. Look at the board"
)


def take_back(
    server: Server, redis: Any, chunk: Chunk, options: Options, overwritten: Opener
) -> tuple[bytes, str]:
    """(key, result): "restored", "changed" (somebody wrote it since), "taken", "refused: …" or
    "unclear: …": nothing was done now, and nobody knows what the try before has done.

    What the edit itself overwrites is kept, so that it can be taken back in turn.
    """
    facts = chunk.open_facts()
    key = facts.keys[0]
    edit = Edit.from_dict(json.loads(chunk.open_values(facts)[0]))
    known = bytes(chunk.marks)[0]
    if options.rename is not None:
        return key, ELSEWHERE if options.name(key) is not None else OTHER_NAME
    if any(server.protects(one) for one in edit.keys):
        return key, OWN
    if known == marks.STAYED:
        return key, STAYED
    result = _apply(redis, edit, chunk, overwritten, unsure=known == marks.TRYING)
    remark(chunk, {0: marks.of(result)})
    return key, result


def _apply(redis: Any, edit: Edit, chunk: Chunk, overwritten: Opener, *, unsure: bool) -> str:
    edits = Edits(redis)
    if unsure and edits.check(edit) == "done":
        return "restored"
    # What this moves is away after it was done, and also when somebody removed it.
    lost = LOST if unsure and isinstance(edit, BoardBack) else None
    kept = bin_ = None
    if edit.needs_dump:
        limit = settings.UNDO_VALUE_BYTES
        [current] = Dumps(redis).take([edit.dump_key], max_bytes=limit)
        if isinstance(current, Dump):
            bin_ = overwritten()
            kept = bin_.keep([current])
        elif current is not None:
            return f"refused: what is there cannot be kept first: {why_not(current)}"
    remark(chunk, {0: marks.TRYING})
    try:
        outcome = edits.apply(edit)
    except UnknownResult:
        raise
    except (RedisError, RedisopsError):
        # A refusal means that nothing was done: it can be taken back another time. After a fault of
        # our own nobody knows; the mark stays, and the next try looks at the server first.
        remark(chunk, {0: marks.REMOVED})
        raise
    if bin_ is not None and kept is not None:
        bin_.settle(kept, ["overwritten" if isinstance(outcome, Saved) else "changed"])
    match outcome:
        case Saved(inverse=inverse):
            if inverse is not None and bin_ is None:
                overwritten().keep_edit(inverse.key, inverse.to_dict())
            return "restored"
        case Conflict():
            return "changed"
        case Exists(what=what):
            return "taken" if what == "key" else "changed"
        case Missing(what=what):
            return lost or f"refused: the {what} is gone"
        case Refused(reason=reason):
            return f"refused: {reason}"
