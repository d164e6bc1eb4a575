"""Change one thing of one key, guarded by what the person saw. See docs/redisops/edits.md.

>>> edits = Edits(client)
>>> edit = SetField(b"cart:ann", b"total", b"18.00", seen=Seen.of(b"17.50"))
>>> if edit.needs_dump: keep the DUMP of edit.dump_key first
>>> match edits.apply(edit):
...     case Saved(inverse=inverse): keep inverse.to_dict() for undo
...     case Conflict(now, seen): show both versions
...     case Missing(what) | Exists(what): ...
...     case Refused(reason, detail, instead): ...

Every edit is one script on one key: it compares, writes, and answers, at once. UnknownResult
(a write whose reply was lost) passes through: ask ``check`` what became of it, never repeat it.
"""

from __future__ import annotations

from redisops.edits.apply import AsyncEdits, Edits
from redisops.edits.boards import BoardBack, BoardScore
from redisops.edits.creation import Create
from redisops.edits.documents import DeleteJson, SetJson
from redisops.edits.edit import OPERATIONS, Edit
from redisops.edits.hashes import DeleteField, ExpireField, SetField
from redisops.edits.lists import InsertElement, PushElement, RemoveElement, SetElement
from redisops.edits.outcomes import (
    Conflict,
    Exists,
    Missing,
    Outcome,
    Refused,
    Saved,
    Seen,
    Version,
)
from redisops.edits.sets import AddMember, RemoveMember
from redisops.edits.sorted_sets import RemoveScore, SetPlace, SetScore, score
from redisops.edits.streams import AddEntry, DeleteEntry
from redisops.edits.strings import AddToHyperLogLog, AppendString, CutString, SetBit, SetString
from redisops.edits.transfers import transfer, transfer_async
from redisops.edits.vectors import AddVector, RemoveVector, SetVectorAttributes
from redisops.edits.whole import Copy, Expire, Rename

__all__ = [
    "OPERATIONS",
    "AddEntry",
    "AddMember",
    "AddToHyperLogLog",
    "AddVector",
    "AppendString",
    "AsyncEdits",
    "BoardBack",
    "BoardScore",
    "Conflict",
    "Copy",
    "Create",
    "CutString",
    "DeleteEntry",
    "DeleteField",
    "DeleteJson",
    "Edit",
    "Edits",
    "Exists",
    "Expire",
    "ExpireField",
    "InsertElement",
    "Missing",
    "Outcome",
    "PushElement",
    "Refused",
    "RemoveElement",
    "RemoveMember",
    "RemoveScore",
    "RemoveVector",
    "Rename",
    "Saved",
    "Seen",
    "SetBit",
    "SetElement",
    "SetField",
    "SetJson",
    "SetPlace",
    "SetScore",
    "SetString",
    "SetVectorAttributes",
    "Version",
    "score",
    "transfer",
    "transfer_async",
]
