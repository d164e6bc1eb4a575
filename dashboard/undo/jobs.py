"""The kind of job that puts much back."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

from django.urls import reverse

from dashboard.jobs.charging import charge
from dashboard.jobs.kinds import Kind
from dashboard.undo.models import Chunk, Removal
from dashboard.undo.options import Options, Restored
from dashboard.undo.putting import Putting
from dashboard.undo.restoring import KIND, open_for_overwritten, open_positions, put

if TYPE_CHECKING:
    from dashboard.jobs import Work
    from dashboard.jobs.models import Job
    from redisops.dumps import Dump

STEP_KEYS = 1000
# What one key costs the server: RESTORE, and where something may be overwritten DUMP and a script.
COMMANDS, COMMANDS_OVER = 1, 3


class Restore(Kind):
    """Walks the chunks of a removal. An entry is marked before and after it is sent, so that a
    step that runs again finds what was back already; nothing is overwritten by mistake."""

    name = KIND
    permission = "undo.restore"
    done_word = "restored"
    skipped_word = "left as they are"

    def __init__(self) -> None:
        self._opened: dict[int, tuple[uuid.UUID, list[Dump]]] = {}

    def title(self, job: Job) -> str:
        return f"Restore {job.params['what']}"

    def notes(self, job: Job) -> list[tuple[str, str]]:
        over = bool(job.params["options"]["replace"])
        return [
            ("Expiry", "what was left of it then; what has expired since stays away"
             if job.params["options"]["ttl"] is None
             else f"{job.params['options']['ttl']:,} s for what has expired since"),
            ("Name is taken", "overwritten, after what is there went to the recycle bin"
             if over else "left as it is"),
        ]  # fmt: skip

    def result_url(self, job: Job) -> str:
        return reverse("undo:show", args=[job.server.slug, job.params["removal"]])

    def step(self, work: Work) -> bool:
        removal = Removal.objects.select_related("server").filter(pk=work.params["removal"]).first()
        if removal is None or removal.is_over:
            self._opened.pop(work.job.pk, None)
            work.log("What was not restored by now has left the recycle bin.")
            return True
        chunk = self._next(removal, work)
        if chunk is None:
            return True
        options = Options.from_dict(work.params["options"])
        chosen = work.params["selection"]
        places = open_positions(chunk, options) if chosen is None else chosen[str(chunk.pk)]
        first = work.checkpoint.get("at", 0) if work.checkpoint.get("chunk") == chunk.pk else 0
        left = [n for n in places if n >= first]
        each = COMMANDS_OVER if options.replace else COMMANDS
        part = left[: max(work.pace.batch(STEP_KEYS * each) // each, 1)]
        if part:
            self._put(work, removal, chunk, part, options)
        if len(part) < len(left):
            work.checkpoint = {**work.checkpoint, "chunk": chunk.pk, "at": part[-1] + 1}
        else:
            self._opened.pop(work.job.pk, None)
            work.checkpoint = {**work.checkpoint, "done": chunk.pk}
        return False

    def _next(self, removal: Removal, work: Work) -> Chunk | None:
        rest = removal.chunks.filter(pk__gt=work.checkpoint.get("done", 0)).order_by("pk")
        if work.params["selection"] is not None:
            rest = rest.filter(pk__in=[int(n) for n in work.params["selection"]])
        if work.job.pk in self._opened:
            rest = rest.defer("facts", "body")
        return rest.select_related("removal").first()

    def _dumps(self, work: Work, chunk: Chunk) -> list[Dump] | None:
        """What the chunk holds, opened once for all its steps; None: an edit is opened by itself.

        The token tells chunks apart that were given the same number.
        """
        if chunk.is_edit:
            return None
        known = self._opened.get(work.job.pk)
        if known is None or known[0] != chunk.token:
            if len(self._opened) > 8:
                self._opened.clear()
            known = chunk.token, list(chunk.dumps())
            self._opened[work.job.pk] = known
        return known[1]

    def _put(
        self, work: Work, removal: Removal, chunk: Chunk, part: list[int], options: Options
    ) -> None:
        each = COMMANDS_OVER if options.replace else COMMANDS
        restored = Restored()
        opener = open_for_overwritten(work.job.by_name, removal, restored)
        if work.checkpoint.get("overwritten"):
            earlier = Removal.objects.filter(pk=work.checkpoint["overwritten"]).first()
            opener = (lambda: earlier) if earlier is not None else opener
        putting = Putting(work.server, work.redis, options, opener)
        opened = self._dumps(work, chunk)
        work.pace.wait(len(part) * each)
        began, own = time.monotonic(), time.thread_time()
        results = put(putting, chunk, part, opened)
        charge(work, len(part) * each, time.monotonic() - began, own=time.thread_time() - own)
        for key, result in results:
            word = result.partition(":")[0]
            if word == "restored":
                work.count(done=1)
            elif word in ("taken", "changed", "expired"):
                work.count(skipped=1)
            else:
                work.fail(key, result)
        if restored.overwritten is not None:
            work.checkpoint = {**work.checkpoint, "overwritten": restored.overwritten.pk}
