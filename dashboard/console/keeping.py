"""What a typed command deletes or replaces goes to the recycle bin before it is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http import HttpRequest
from redis.exceptions import RedisError

from dashboard import undo
from dashboard.servers.models import Server
from dashboard.ui import numbers
from redisops import commands
from redisops.commands import Loss, Verdict
from redisops.dumps import Dump, Dumps, OutOfReach, Taken, TooBig
from redisops.errors import RedisopsError
from redisops.keys import printable

if TYPE_CHECKING:
    from dashboard.undo.models import Removal

MOST_KEYS = 1_000
MOST_BYTES = 16 * 1024 * 1024
NAMED = 3


class Keeping:
    """The values that one command takes away: held before it, settled after it.

    ``removal`` is the row of the recycle bin, None while nothing is kept.
    """

    def __init__(self, request: HttpRequest, server: Server, verdict: Verdict, loss: Loss) -> None:
        self.request = request
        self.server = server
        self.verdict = verdict
        self.loss = loss
        self.removal: Removal | None = None
        self._dumps: list[Dump] = []
        self._kept: Any = None

    def hold(self, redis: Any) -> str:
        """Keep what exists; "" when all of it is kept, else why not, and then nothing is.

        One round trip when there are keys; commits. Errors of Redis pass: nothing was sent.
        """
        if self.loss.beyond:
            return self.loss.beyond
        keys = self.loss.keys
        if len(keys) > MOST_KEYS:
            return f"{len(keys):,} keys are more than the {MOST_KEYS:,} that are kept at once."
        most = min(MOST_BYTES, settings.UNDO_VALUE_BYTES)
        taken = Dumps(redis).take(keys, max_bytes=most, budget=MOST_BYTES)
        why = _why_not(taken, len(keys), most)
        self._dumps = [one for one in taken if isinstance(one, Dump)]
        if why or not self._dumps:
            return why
        removal = undo.begin(self.request, self.server, "console.write", what=self._what())
        try:
            self._kept = removal.keep(self._dumps)
        except undo.CannotKeep as error:
            return f"{error}"
        self.removal = removal
        return ""

    def did_nothing(self) -> None:
        """The command was not run, or the server refused it."""
        self._settle(["refused"] * len(self._dumps))

    def done(self, redis: Any) -> None:
        """It was run: look what became of each key. One round trip.

        When nobody can look, each stays on offer as perhaps removed.
        """
        if self.removal is None:
            return
        keys = [dump.key for dump in self._dumps]
        try:
            now = Dumps(redis).take(keys, max_bytes=MOST_BYTES)
        except (RedisError, RedisopsError):
            return
        self._settle([_became(dump, one) for dump, one in zip(self._dumps, now, strict=True)])

    def _settle(self, words: Sequence[str]) -> None:
        if self.removal is not None:
            self.removal.settle(self._kept, words)

    def _what(self) -> str:
        """ "DEL cart:1 cart:2": the command with the keys that go, never a value."""
        keys = [dump.key for dump in self._dumps]
        shown = f"{self.verdict.name} {commands.join(keys[:NAMED])}"
        rest = len(keys) - NAMED
        return f"{shown} and {rest:,} more" if rest > 0 else shown


def _became(dump: Dump, now: Taken) -> str:
    if now is None:
        return "removed"
    return "stayed" if now == dump else "overwritten"


def _why_not(taken: Sequence[Taken], wanted: int, most: int) -> str:
    for one in taken:
        if isinstance(one, TooBig):
            return (
                f"{printable(one.key[:120])} is too big for it: {numbers.size(one.size)}, "
                f"and {numbers.size(most)} are kept at once."
            )
        if isinstance(one, OutOfReach):
            return f"{printable(one.key[:120])} cannot be read: {one.why}."
    if len(taken) < wanted:
        return f"Together these values are larger than the {numbers.size(most)} kept at once."
    return ""
