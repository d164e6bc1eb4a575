"""Acknowledge, claim, move to dead letters: a dry list first, then once, and only what is as seen.

POST carries a ``step``: ``review`` lists what would be done, ``do`` does it, ``check`` looks what
became of it when the reply was lost.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.datastructures import MultiValueDict
from django.views.decorators.http import require_POST

from dashboard.audit import record, recording
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from dashboard.streams.groups import room, showing
from dashboard.streams.groups.views import standing_of
from redisops import keys
from redisops.errors import InvalidArgument, UnknownResult
from redisops.streams.dead import dead_key
from redisops.streams.groups import PendingEntry
from redisops.streams.pending import MOST_AT_ONCE, MOST_BURIED, Pending, Seen, poison
from redisops.values.calls import ScriptsRefused

SAMPLE = 20
"""Entries that a dry list shows with their fields."""


@dataclass(frozen=True)
class Act:
    """One thing that can be done to pending entries, in words."""

    do: str
    title: str
    button: str
    icon: str
    past: str
    what: str
    after: str
    most: int = MOST_AT_ONCE


ACTS = {
    act.do: act
    for act in (
        Act("ack", "Acknowledge", "Acknowledge", "check", "acknowledged",
            "They leave the pending list: no consumer of this group gets them again. "
            "Nothing is processed by that. The entries stay in the stream.",
            "It cannot be taken back, but the group can be set to an earlier id."),
        Act("claim", "Claim", "Claim", "hand", "claimed",
            "They become another consumer's and count as delivered just now. A worker finds them "
            "when it reads its own list (at its start, as a rule) or claims what has been idle.",
            "They can be claimed back. The count of deliveries stays."),
        Act("bury", "Move to dead letters", "Move", "archive", "moved to dead letters",
            "Each is added to the dead-letter stream with its fields and the cause, and then "
            "acknowledged, so that the group goes on without it.",
            "They can be replayed from the dead letters.", MOST_BURIED),
    )
}  # fmt: skip
WHY = {
    "gone": "no longer pending",
    "changed": "handed out since you looked",
    "deleted": "no longer in the stream: only acknowledging helps",
    "same": "that consumer has it already",
}


@require_POST
@on_server("streams.change")
@room.told
def act(request: HttpRequest, server: Server, key: bytes, group: bytes) -> HttpResponse:
    """One act on the entries that the form names, by the step that it carries."""
    wanted = ACTS.get(request.POST.get("do", ""))
    if wanted is None:
        raise InvalidArgument("choose what to do: acknowledge, claim or move to dead letters")
    acting = Acting(request, server, key, group, wanted)
    step = request.POST.get("step", "review")
    if step == "do":
        return acting.do()
    return acting.check() if step == "check" else acting.review()


class Acting:
    """One request to act on pending entries."""

    def __init__(
        self, request: HttpRequest, server: Server, key: bytes, group: bytes, act: Act
    ) -> None:
        self.request, self.server, self.key, self.group, self.act = (
            request, server, key, group, act,
        )  # fmt: skip
        self.pending = Pending(server.client(), key, group)
        self.page = room.url("group", server, key, group)

    # --- The dry list ----------------------------------------------------------------------

    def review(self, wrong: str = "") -> HttpResponse:
        """What would be done, and to which entries. Changes nothing."""
        standing = standing_of(self.server, self.key, self.group)
        rows, more = self._wanted(standing)
        if not rows:
            messages.info(self.request, "Nothing was chosen, or it is pending no longer.")
            return redirect(self.page)
        shown = [showing.Row(row, is_cut=False) for row in rows[:SAMPLE]]
        fields, refused = self._fields([row.id for row in rows[:SAMPLE]])
        holders = {row.consumer for row in rows}
        others = [
            one for one in standing.consumers if one.in_form and {one.consumer.name} != holders
        ]
        others.sort(key=lambda one: one.consumer.idle)
        context = self._context() | {
            "count": len(rows), "more": more, "shown": list(zip(shown, fields, strict=True)),
            "refused": refused, "seen": [str(Seen.of(row)) for row in rows],
            "consumers": others, "wrong": wrong, "dead": dead_key(self.key),
            "reason": self.request.POST.get("reason", "")[:500],
            "to_new": self.request.POST.get("to_new", "")[:2_000],
        }  # fmt: skip
        return self._render("streams/groups/review.html", context, 422 if wrong else 200)

    def _wanted(self, standing: showing.Standing) -> tuple[list[PendingEntry], bool]:
        """The entries that the form means, as they are now, and whether there are more."""
        scope = self.request.POST.get("scope", "")
        cut = {one.name for one in standing.window.consumers if one.is_cut}
        more = False
        if scope.startswith("consumer:"):
            of = keys.from_url(scope.partition(":")[2])
            window = self.pending.window(count=self.act.most, consumer=of)
            found, more = list(window.rows), window.next is not None
        elif scope == "poison":
            found = poison(standing.window.rows, showing.POISON)
        else:
            # Dry lists are of what is now: an entry that moved meanwhile is left out.
            seen = set(map(str, self._seen()))
            found = [row for row in standing.window.rows if str(Seen.of(row)) in seen]
            missing = seen - {str(Seen.of(row)) for row in found}
            found += self._elsewhere(missing)
        found = [row for row in found if row.consumer not in cut]
        return found[: self.act.most], more or len(found) > self.act.most

    def _elsewhere(self, missing: set[str]) -> list[PendingEntry]:
        """Those that are beyond the group's window: the few that a page of it showed."""
        if not missing:
            return []
        first = min((Seen.parse(text).id for text in missing), key=_order)
        milliseconds, _, number = first.partition("-")
        before = f"{milliseconds}-{int(number) - 1}" if int(number or 0) else _before(milliseconds)
        rows = self.pending.window(before, count=1_000).rows
        return [row for row in rows if str(Seen.of(row)) in missing]

    def _fields(self, ids: list[str]) -> tuple[list[list[tuple[str, str]] | None], str]:
        """The fields of each in print; None for one that the stream has no more."""
        try:
            found = self.pending.previews(ids)
        except ScriptsRefused as refused:
            return [[] for _ in ids], str(refused)
        return [
            None if one is None
            else [(room.short(name), room.short(value, 120)) for name, value in one.fields[:12]]
            for one in found
        ], ""  # fmt: skip

    # --- The act ---------------------------------------------------------------------------

    def do(self) -> HttpResponse:
        """Send it once, audited; then back to the group with what came of each."""
        seen = self._seen()
        consumer = self._consumer()
        if not seen:
            return self.review()
        if self.act.do == "claim" and consumer is None:
            return self.review("Choose the consumer who gets them.")
        try:
            words = self._send(seen, consumer)
        except UnknownResult:
            return self._unknown(seen)
        self._tell(words)
        return redirect(self.page)

    def _send(self, seen: list[Seen], consumer: bytes | None) -> list[str]:
        reason = self._reason()
        before: dict[str, Any] = {
            "group": keys.printable(self.group), "entries": len(seen),
            "ids": [one.id for one in seen[:50]],
        }  # fmt: skip
        if consumer is not None and self.act.do == "claim":
            before["for"] = keys.printable(consumer)
        with recording(
            self.request, f"streams.{self.act.do}", server=self.server.slug, target=self.key,
            before=before, reason=reason,
        ) as entry:  # fmt: skip
            if self.act.do == "ack":
                words = self.pending.ack(seen)
            elif self.act.do == "claim":
                words = self.pending.claim(seen, consumer or b"")
            else:
                words = self.pending.bury(seen, reason or "moved by hand")
            entry.after = dict(Counter(words))
        return words

    def _tell(self, words: list[str]) -> None:
        told = Counter(words)
        done = told.pop("done", 0)
        rest = ", ".join(f"{count:,} {WHY.get(word, word)}" for word, count in told.items())
        if done:
            sentence = f"{done:,} {showing.entries(done)} {self.act.past}."
            left = f" Left alone: {rest}." if rest else ""
            (messages.warning if rest else messages.success)(self.request, sentence + left)
        else:
            messages.warning(self.request, f"Nothing was {self.act.past}: {rest}.")

    # --- A lost reply ----------------------------------------------------------------------

    def _unknown(self, seen: list[Seen], told: Counter[str] | None = None) -> HttpResponse:
        context = self._context() | {
            "seen": [str(one) for one in seen], "count": len(seen), "told": told,
            "to": self.request.POST.get("to", ""), "to_new": self.request.POST.get("to_new", ""),
        }  # fmt: skip
        return self._render("streams/groups/unknown.html", context, 503 if told is None else 200)

    def check(self) -> HttpResponse:
        """How each entry is now. Changes nothing."""
        seen = self._seen()
        told = Counter(self.pending.look(seen))
        done = len(seen) - told["done"]
        result = "failed" if not done else "ok" if done == len(seen) else "unknown"
        record(
            self.request, f"streams.{self.act.do}", server=self.server.slug, target=self.key,
            result=result, reason="looked after a lost reply: "
            f"{told['done']} of {len(seen)} are as they were",
        )  # fmt: skip
        return self._unknown(seen, told)

    # --- What the form says ----------------------------------------------------------------

    def _seen(self) -> list[Seen]:
        posted: MultiValueDict[str, str] = self.request.POST
        texts = posted.getlist("seen")
        if len(texts) > self.act.most:
            raise InvalidArgument(
                f"{len(texts):,} entries are more than the {self.act.most} of one go"
            )
        return [Seen.parse(text) for text in dict.fromkeys(texts)]

    def _consumer(self) -> bytes | None:
        typed = self.request.POST.get("to_new", "").strip()
        name = keys.from_printable(typed) if typed else room.named(self.request.POST.get("to", ""))
        if name is not None and len(name) > room.LONGEST:
            raise InvalidArgument(f"a consumer's name has at most {room.LONGEST:,} bytes here")
        return name

    def _reason(self) -> str:
        return " ".join(self.request.POST.get("reason", "").split())[:500]

    def _context(self) -> dict[str, Any]:
        return {
            "act": self.act, "key": self.key, "group": self.group, "name": room.short(self.group),
            "page": self.page,
        }  # fmt: skip

    def _render(self, template: str, context: dict[str, Any], status: int) -> HttpResponse:
        response = render(self.request, template, context, status=status)
        response["Cache-Control"] = "no-store"
        return response


def _order(id: str) -> tuple[int, int]:
    milliseconds, _, number = id.partition("-")
    return int(milliseconds), int(number or 0)


def _before(milliseconds: str) -> str:
    """The greatest id below ``<milliseconds>-0``."""
    return f"{max(int(milliseconds) - 1, 0)}-{2**64 - 1 if int(milliseconds) else 0}"
