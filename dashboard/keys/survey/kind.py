"""The job that counts: one step is some SCAN calls; where it is, is kept every few seconds."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.urls import reverse
from django.utils import timezone

from dashboard.jobs.kinds import Kind
from dashboard.jobs.models import Job
from dashboard.jobs.work import Work
from dashboard.keys.survey import passes, words
from dashboard.keys.survey.models import Pass
from dashboard.servers import finding
from dashboard.servers.models import Server
from redisops.survey import Figures, Survey

STEP = 0.4  # seconds
SAVE_EVERY = 3.0  # seconds of work that a crash may lose


@dataclass
class Held:
    """A walk that this process is in the middle of; ``turn`` tells whether it is still its own."""

    job: int
    turn: int
    survey: Survey
    saved: float


class CountKeys(Kind):
    """Counts every key by folder and measures some. Reads only."""

    name = passes.KIND
    permission = "keys.survey"
    group = passes.KIND
    done_word = "counted"

    def __init__(self) -> None:
        self._held: Held | None = None

    def title(self, job: Job) -> str:
        return "Measure every key" if job.params.get("thorough") else "Count all keys"

    def step(self, work: Work) -> bool:
        found = Pass.objects.defer("state", "figures").filter(pk=work.params["pass"]).first()
        if found is None:
            raise LookupError("the pass that this job was to make is gone: start another one")
        held = self._take(work, found)
        survey = held.survey
        survey.pace = work.pace
        survey.pause = work.pace.sleep  # which ends early when somebody wants the job to
        before = words.why_there(survey.facts), words.where(survey.facts)
        progress = survey.advance(STEP)
        after = words.why_there(survey.facts), words.where(survey.facts)
        if after != before:
            why, where = after
            work.log(" ".join(filter(None, (why, f"Counting {where}."))))

        total = max(progress.total or 0, progress.counted)
        work.count(done=progress.counted - work.job.done, total=total)
        held.turn += 1
        work.checkpoint = {"turn": held.turn}
        if progress.is_done:
            figures = survey.figures()
            _teach(work.server, figures)
            work.also(partial(self._end, found.pk, figures, survey.total_after))
            return True
        now = time.monotonic()
        if now - held.saved >= SAVE_EVERY or not found.saves:
            held.saved = now
            work.also(partial(self._save, found, survey.state(), progress.counted, progress.total))
        self._held = held
        return False

    def _take(self, work: Work, found: Pass) -> Held:
        """The walk as this process has it, or as it was last kept when another one went on."""
        held, self._held = self._held, None
        turn = work.checkpoint.get("turn", 0)
        if held is not None and (held.job, held.turn) == (work.job.pk, turn) and turn:
            held.survey.redis = work.redis
            return held
        state = bytes(found.state) if found.state else None
        samples: dict[str, Any] = {"samples": None} if found.is_thorough else {}
        survey = Survey(work.redis, delimiter=bytes(found.delimiter), state=state, **samples)
        if state is not None:
            work.log(f"Going on from {survey.progress.counted:,} keys")
        return Held(work.job.pk, turn, survey, time.monotonic())

    @staticmethod
    def _save(found: Pass, state: bytes, counted: int, total: int | None) -> None:
        Pass.objects.filter(pk=found.pk, ended=None).update(
            state=state, saves=found.saves + 1, counted=counted, total=total
        )

    @staticmethod
    def _end(pk: int, figures: Figures, total: int | None) -> None:
        size = figures.root.bytes
        Pass.objects.filter(pk=pk).update(
            state=None, figures=figures.packed(), ended=timezone.now(), counted=figures.counted,
            total=total, bytes=round(size.value) if size.measured else None,
        )  # fmt: skip

    def finished(self, work: Work) -> None:
        passes.thin(work.server)

    def notes(self, job: Job) -> list[tuple[str, str]]:
        return [
            ("Where", "On a replica where one is well, so that the primary is left alone."),
            ("Reads only", "SCAN for the names; type, expiry, size and rest of a sample of them."),
            ("Server time", "No more of it than this server's ceiling allows."),
        ]

    def result_url(self, job: Job) -> str:
        return reverse("keys:analysis", args=[job.server.slug])


def _teach(server: Server, figures: Figures) -> None:
    """Tell the lists of streams and of sorted sets the large ones that were measured."""
    kinds: tuple[finding.Kind, ...] = ("stream", "zset")
    for kind in kinds:
        names = [
            name.encode("latin-1") for _, name, type, _, length in figures.biggest
            if type == kind and length == len(name)
        ]  # fmt: skip
        finding.learn(server, kind, names)
