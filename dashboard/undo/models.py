"""What was taken away, by whom, until when it can come back; and the sealed chunks of it."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from django.db import models
from django.urls import reverse
from django.utils import timezone

from dashboard.audit import actions
from dashboard.undo import sealing
from redisops import keys
from redisops.dumps import Dump

if TYPE_CHECKING:
    from dashboard.undo.keeping import Kept

NAME_KEPT = 1024


class Removal(models.Model):
    """One act of one person: everything that it deleted or overwrote on one server.

    ``kept`` entries were written down, ``offered`` of them can come back (the others' keys were
    not removed in the end); ``size`` is what the chunks take in bytes.
    """

    server = models.ForeignKey("servers.Server", models.CASCADE, related_name="removals")
    action = models.CharField(max_length=100)  # of the audit
    what = models.CharField(max_length=300, blank=True)
    actor = models.CharField(max_length=150)
    why = models.CharField(max_length=500, blank=True)
    job = models.BigIntegerField(null=True)
    created = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField(db_index=True)
    kept = models.BigIntegerField(default=0)
    offered = models.BigIntegerField(default=0)
    size = models.BigIntegerField(default=0)
    first_key = models.BinaryField(default=bytes, max_length=NAME_KEPT)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["server", "until"], name="removal_server_until")]

    def __str__(self) -> str:
        return self.sentence

    def get_absolute_url(self) -> str:
        return reverse("undo:show", args=[self.server.slug, self.pk])

    @property
    def is_over(self) -> bool:
        return self.until <= timezone.now()

    @property
    def target(self) -> str:
        """What it is about: as the caller named it, one key's name, or how many keys."""
        if self.what:
            return self.what
        if self.kept == 1:
            return keys.printable(bytes(self.first_key))
        return f"{self.kept:,} keys"

    @property
    def sentence(self) -> str:
        """ "Deleted cart:eu:7"."""
        return actions.sentence(self.action, self.target)

    @property
    def is_deletion(self) -> bool:
        return self.action.endswith(".delete")

    @property
    def left(self) -> datetime.timedelta:
        return max(self.until - timezone.now(), datetime.timedelta())

    # --- Keeping: the words are in ``keeping`` ---------------------------------------------

    def keep(self, dumps: Sequence[Dump]) -> Kept:
        """Write the dumps down, sealed and committed; call it BEFORE the keys are removed.

        Raises ``TooBig``, ``Full`` or ``Emptied`` (all ``CannotKeep``) with a sentence, and then
        nothing was kept; RuntimeError inside a transaction, which could still be undone.
        """
        from dashboard.undo import keeping

        return keeping.keep(self, dumps)

    def keep_edit(self, key: bytes, inverse: dict[str, Any]) -> Kept:
        """Write down what takes an edit of ``key`` back (``Edit.to_dict()``); errors as ``keep``.

        It is offered at once: call ``settle(kept, ["refused"])`` when the edit did not happen.
        """
        from dashboard.undo import keeping

        return keeping.keep_edit(self, key, inverse)

    def settle(self, kept: Kept, results: Sequence[str]) -> None:
        """Say what became of the kept keys, one word each in their order.

        ``"removed"`` is offered; so is ``"overwritten"``, whose restore replaces what is there
        (which goes to the bin first); anything else is not. Safe inside a transaction.
        """
        from dashboard.undo import keeping

        keeping.settle(self, kept, results)

    def remove(self, redis: Any, names: Sequence[bytes]) -> list[str]:
        """Delete keys so that they can come back; one result each.

        "removed", "gone" (was not there), "changed" (written twice meanwhile; still there),
        "too big: <sentence>" (not removed) or "refused: …". Errors of ``keep`` and of Redis
        pass: what was not removed then is there, what was is kept. After UnknownResult call
        ``look``. Three round trips per 1,000 small keys: DUMP, UNLINK; commits before and after.
        """
        from dashboard.undo import removing

        return removing.remove(self, redis, names)

    def look(self, redis: Any) -> int:
        """After a crash or a lost reply: look at the server for what was kept and never settled.

        A key that still is as it was dumped was not removed. Returns how many it settled. One
        round trip per 1,000 keys.
        """
        from dashboard.undo import removing

        return removing.look(self, redis)


class Chunk(models.Model):
    """Up to about 1 MiB of entries of a removal, or one larger value. ``facts`` and ``body`` are
    sealed and bound to the removal and the token; ``marks`` has a byte for each entry."""

    removal = models.ForeignKey(Removal, models.CASCADE, related_name="chunks")
    token = models.UUIDField(default=uuid.uuid4)
    is_edit = models.BooleanField(default=False)
    count = models.IntegerField()
    size = models.BigIntegerField()
    marks = models.BinaryField()
    facts = models.BinaryField()
    body = models.BinaryField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"chunk {self.pk} of {self.removal_id}"

    @property
    def place(self) -> str:
        return place(self.removal_id, self.token)

    def open_facts(self) -> sealing.Facts:
        return sealing.open_facts(bytes(self.facts), self.place)

    def open_values(self, facts: sealing.Facts) -> list[bytes]:
        return sealing.open_values(bytes(self.body), self.place, facts.sizes)

    def dumps(self) -> Iterator[Dump]:
        """The entries as they were taken."""
        facts = self.open_facts()
        rows = zip(
            facts.keys, self.open_values(facts), facts.expiries, facts.types, facts.sizes,
            strict=True,
        )  # fmt: skip
        return (Dump(*row) for row in rows)


def place(removal: int, token: uuid.UUID) -> str:
    """What the sealed texts of a chunk are bound to."""
    return f"undo.chunk:{removal}:{token}"
