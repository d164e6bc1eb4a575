"""Values of modules: JSON documents by their commands, any other by its facts and its DUMP."""

from __future__ import annotations

from typing import Any

from redis.exceptions import ResponseError

from redisops.steps import Steps
from redisops.values import calls
from redisops.values.common import cut, facts, pieces, plainly, script, without_scripts
from redisops.values.facts import KeyRow
from redisops.values.options import BUDGET, View
from redisops.values.pages import JsonPage, ModulePage, Piece

JSON = "ReJSON-RL"
_SMALL = 1024 * 1024  # bytes of memory up to which a value is serialised for a look
_BIG = "The value is too big to be serialised for a look; it can be downloaded."
_UNKNOWN_SIZE = "Its size is not known (MEMORY USAGE was refused), so it is not serialised."
_NAMES = 100


def read_json(redis: Any, row: KeyRow, view: View) -> Steps[JsonPage | ModulePage]:
    """The start of the document; of a big one the names in its root object."""
    small = _is_small(row)
    try:
        kind, size, text, length, names = yield from script(
            redis, "json_window", row.key, int(small), view.window, _NAMES, view.limit
        )
    except calls.ScriptsRefused:
        return (yield from read_other(redis, row, view))
    except ResponseError as error:
        if calls.is_wrong_type(error):
            raise
        # The type is there and a command is not: an older module, or one of another maker.
        return (yield from read_other(redis, row, view, f"JSON commands failed: {error}"))
    return JsonPage(
        **facts(row, size, () if small else (_BIG,)), kind=kind.decode(), size=size,
        text=Piece(text, length) if text is not None else None, names=tuple(pieces(names)),
    )  # fmt: skip


def read_other(redis: Any, row: KeyRow, view: View, *notes: str) -> Steps[ModulePage]:
    """The facts, and the start of the DUMP of a value that is not big."""
    if not _is_small(row):
        reason = _BIG if row.memory is not None else _UNKNOWN_SIZE
        return ModulePage(**facts(row, notes=(*notes, reason)), dump=None)
    try:
        dump = yield from script(redis, "dump_head", row.key, view.limit)
        piece = Piece(*dump) if dump else None
    except calls.ScriptsRefused as refused:
        row = without_scripts(row, refused)
        [reply] = yield from plainly(redis, row.key, ("DUMP", row.key))
        piece = cut(reply, view.limit) if isinstance(reply, bytes) else None
        if calls.is_refused(reply):
            notes = (*notes, "The server refused DUMP.")
        elif reply is not None:
            calls.checked(reply)
    return ModulePage(**facts(row, notes=notes), dump=piece)


def _is_small(row: KeyRow) -> bool:
    return row.memory is not None and row.memory <= min(_SMALL, BUDGET)
