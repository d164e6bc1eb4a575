"""The dead letters of a stream, and sending them round again."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from dashboard import jobs
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from dashboard.streams.groups import room
from dashboard.streams.groups.replaying import EACH, FASTEST, USUAL
from redisops import keys
from redisops.errors import InvalidArgument
from redisops.streams.dead import DeadLetter
from redisops.streams.groups import Groups, StreamGone, check_id
from redisops.streams.replaying import MOST_AT_ONCE, DeadLetters

SHOWN = 50
SAMPLE = 20


class LetterRow:
    """One dead letter in print."""

    def __init__(self, letter: DeadLetter, stream: bytes) -> None:
        self.letter = letter
        self.is_foreign = letter.stream != stream
        self.group = room.short(letter.group)
        self.consumer = room.short(letter.consumer) if letter.consumer else ""
        self.at = letter.at if 1e9 < letter.at < 2e10 else None
        self.fields = [(room.short(n), room.short(v, 120)) for n, v in letter.fields[:12]]
        self.more = max(len(letter.fields) - 12, 0)


@require_safe
@on_server("streams.read")
@room.told
def index(request: HttpRequest, server: Server, key: bytes) -> HttpResponse:
    """The newest dead letters: from where, of which group, why. One round trip."""
    before = request.GET.get("before", "")
    page = DeadLetters(server.client(), key).page(before or None, count=SHOWN)
    context = {
        "key": key, "page": page, "before": before,
        "rows": [LetterRow(one, key) for one in page.letters],
    }  # fmt: skip
    return _page(request, "streams/groups/dead_letters.html", context)


@require_POST
@on_server("streams.change")
@room.told
def replay(request: HttpRequest, server: Server, key: bytes) -> HttpResponse:
    """The dry list of a replay, or with ``step=do`` the job that does it."""
    ids = [check_id(text, special=()) for text in dict.fromkeys(request.POST.getlist("id"))]
    if len(ids) > MOST_AT_ONCE:
        raise InvalidArgument(f"choose at most {MOST_AT_ONCE} letters, or all of them")
    everything = request.POST.get("scope") == "all"
    letters = DeadLetters(server.client(), key)
    page = letters.page(_above(ids) if ids else None, count=SHOWN)
    until = request.POST.get("until", "") or _newest(page)
    if not (everything or ids) or not page.length:
        messages.info(request, "Nothing was chosen, or it is gone by now.")
        return redirect(room.url("dead_letters", server, key))
    wrong, rate = "", request.POST.get("rate", str(USUAL)).strip()
    if not (rate.isascii() and rate.isdecimal() and 1 <= int(rate[:9]) <= FASTEST):
        wrong = f"Say how many a second: 1 to {FASTEST:,}."
    if not everything:
        page_rows = [one for one in page.letters if one.id in ids]
    else:
        page_rows = list(page.letters[:SAMPLE])
    count = len(ids) if not everything else page.length
    reason = " ".join(request.POST.get("reason", "").split())[:500]
    if request.POST.get("step") == "do" and not wrong:
        params = {
            "stream": keys.to_url(key), "rate": int(rate), "name": room.short(key),
            "ids": [] if everything else sorted(ids, key=_order),
            "until": check_id(until, special=()),
        }  # fmt: skip
        try:
            job = jobs.start(
                request, server, "streams.replay", params, scope=key, total=count, reason=reason,
                limit=float(int(rate) * EACH),
            )  # fmt: skip
        except jobs.Busy as busy:
            wrong = f"{busy}: wait for it, or cancel it."
        else:
            return redirect(job)
    context = {
        "key": key, "rows": [LetterRow(one, key) for one in page_rows[:SAMPLE]], "ids": ids,
        "everything": everything, "count": count, "until": until, "rate": rate, "wrong": wrong,
        "reason": reason, "groups": _groups(server, key), "is_atomic": letters.is_atomic,
    }  # fmt: skip
    return _page(request, "streams/groups/replay.html", context)


def _groups(server: Server, key: bytes) -> list[str] | None:
    """Who gets what is replayed; None when the stream itself is gone."""
    try:
        return [room.short(one.name) for one in Groups(server.client(), key).look().groups[:10]]
    except StreamGone:
        return None


def _newest(page: Any) -> str:
    found = [one.id for one in page.letters] + list(page.others)
    return max(found, key=_order, default="")


def _above(ids: list[str]) -> str:
    """An id above them all, so that a page begins with the newest of them."""
    milliseconds, number = max(map(_order, ids))
    return f"{milliseconds}-{min(number + 1, 2**64 - 1)}"


def _order(id: str) -> tuple[int, int]:
    milliseconds, _, number = id.partition("-")
    return int(milliseconds), int(number or 0)


def _page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    response = render(request, template, context, status=422 if context.get("wrong") else 200)
    response["Cache-Control"] = "no-store"
    return response
