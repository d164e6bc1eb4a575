"""Make, move and delete groups, and delete their consumers: what it means first, then once."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from dashboard.audit import recording
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from dashboard.streams.groups import room, showing
from dashboard.streams.groups.views import standing_of
from redisops import keys
from redisops.errors import InvalidArgument, UnknownResult
from redisops.streams.groups import Groups, check_id
from redisops.streams.model import order
from redisops.streams.pending import Consumer

MOST_COUNTED = 10_000
DOES = ("move", "delete", "delete-consumer")
UNKNOWN = (
    "Result unknown: it was sent, and the reply was lost. It is not sent again by itself. What you "
    "see below is how it is now."
)


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("streams.change")
@room.told
def create(request: HttpRequest, server: Server, key: bytes) -> HttpResponse:
    """A new group that begins at the end, at the beginning, or after an id."""
    groups = Groups(server.client(), key)
    look = groups.look()
    data = request.POST if request.method == "POST" else request.GET
    form = {"name": data.get("name", ""), "start": data.get("start", "$"), "id": data.get("id", ""),
            "reason": data.get("reason", "")[:500]}  # fmt: skip
    context: dict[str, Any] = {"key": key, "look": look, "form": form}
    if request.method == "POST":
        try:
            name = keys.from_printable(form["name"])
            if not name or len(name) > room.LONGEST:
                raise InvalidArgument(f"a name has 1 to {room.LONGEST:,} bytes")
            start = check_id(form["id"].strip() if form["start"] == "id" else form["start"])
        except InvalidArgument as wrong:
            context["wrong"] = str(wrong)
        else:
            if _create(request, server, groups, name, start, form["reason"]):
                return redirect(room.url("groups", server, key))
            context["wrong"] = "There is a group of this name already. Choose another name."
    return _page(request, "streams/groups/create.html", context)


def _create(
    request: HttpRequest, server: Server, groups: Groups, name: bytes, start: str, reason: str
) -> bool:
    """Whether something was sent that there is nothing more to say about on the form."""
    after = {"group": keys.printable(name), "from": start}
    try:
        with recording(
            request, "streams.group.create", server=server.slug, target=groups.key,
            before=None, reason=reason,
        ) as entry:  # fmt: skip
            made = groups.create(name, start)
            entry.after = after
            if not made:
                entry.result, entry.reason = "refused", "there is a group of this name already"
    except UnknownResult:
        messages.warning(request, UNKNOWN)
        return True
    if made:
        messages.success(request, f"Made the group {room.short(name)}.")
    return made


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("streams.change")
@room.told
def change(request: HttpRequest, server: Server, key: bytes, group: bytes) -> HttpResponse:
    """Move or delete the group, or delete a consumer: ``do`` says which; a POST does it."""
    data = request.POST if request.method == "POST" else request.GET
    do = data.get("do", "")
    if do not in DOES:
        raise InvalidArgument("choose what to change: move, delete or delete-consumer")
    return Changing(request, server, key, group, do).answer()


class Changing:
    """One change of one group, from what it means to what came of it."""

    def __init__(
        self, request: HttpRequest, server: Server, key: bytes, group: bytes, do: str
    ) -> None:
        self.request, self.server, self.key, self.group, self.do = request, server, key, group, do
        self.data = request.POST if request.method == "POST" else request.GET
        self.groups = Groups(server.client(), key)
        self.standing = standing_of(server, key, group)
        self.wrong = ""

    def answer(self) -> HttpResponse:
        context: dict[str, Any] = {
            "do": self.do, "key": self.key, "group": self.group, "name": room.short(self.group),
            "standing": self.standing, "form": self.data,
            "page": room.url("group", self.server, self.key, self.group),
            "seen": self._state(),
        }  # fmt: skip
        if self.do == "delete-consumer":
            context["consumer"] = showing.ConsumerRow(self._consumer(), 0.0)
        if self.do == "move":
            context |= self._preview()
        step = self.data.get("step", "")
        if self.request.method == "POST" and step == "do" and not self.wrong:
            self._check()
            if not self.wrong:
                return self._do()
        return _page(self.request, "streams/groups/change.html", context | {"wrong": self.wrong})

    # --- What it means ---------------------------------------------------------------------

    def _state(self) -> str:
        """What the person sees that must not have become worse: entries in hand, or the place."""
        if self.do == "delete-consumer":
            return f"{self._consumer().pending}"
        group = self.standing.group
        return group.last_delivered if self.do == "move" else f"{int(group.pending > 0)}"

    def _is_as_seen(self) -> bool:
        """A group that works moves on; it must not have been set back, nor hold what was unseen."""
        seen, now = self.data.get("seen", ""), self._state()
        if self.do == "move":
            return order(check_id(seen, special=())) <= order(now)
        return seen.isdecimal() and int(now) <= int(seen[:18])

    def _consumer(self) -> Consumer:
        name = room.named(self.data.get("consumer", ""))
        for one in self.standing.window.consumers:
            if one.name == name and not one.is_cut:
                return one
        raise InvalidArgument("the group has no such consumer (any more)")

    def _preview(self) -> dict[str, Any]:
        """Which entries come again, or are skipped, when the group is moved."""
        chosen = self.data.get("start", "")
        if not chosen:
            if self.request.method == "POST":
                self.wrong = "Choose from where the group goes on."
            return {"to": "", "count": None}
        try:
            to = check_id(self.data.get("id", "").strip() if chosen == "id" else chosen)
        except InvalidArgument as error:
            self.wrong = str(error)
            return {"to": "", "count": None}
        now, then = self.standing.group.last_delivered, self._target(to)
        back = order(then) < order(now)
        low, high = (then, now) if back else (now, then)
        found = self.groups.between(low, high, most=MOST_COUNTED)
        words = f"{found.entries:,}" + " or more" * (not found.is_all)
        return {
            "to": to,
            "then": then,
            "count": words,
            "back": back,
            "same": order(then) == order(now),
        }

    def _target(self, to: str) -> str:
        if to == "$":
            return self.standing.look.last_id
        return "0-0" if to == "0" else to

    # --- Doing it --------------------------------------------------------------------------

    def _check(self) -> None:
        if not self._is_as_seen():
            self.wrong = "It has changed since you looked. This is how it is now; decide again."
        elif self.server.is_production and self.data.get("place", "").strip() not in (
            self.server.name, self.server.slug,
        ):  # fmt: skip
            self.wrong = f"Type the server's name, {self.server.name}, to change production."

    def _do(self) -> HttpResponse:
        action = {"move": "streams.group.move", "delete": "streams.group.delete",
                  "delete-consumer": "streams.consumer.delete"}[self.do]  # fmt: skip
        group = self.standing.group
        before = {"group": keys.printable(self.group), "read to": group.last_delivered,
                  "pending": group.pending, "consumers": group.consumers}  # fmt: skip
        try:
            with recording(
                self.request, action, server=self.server.slug, target=self.key, before=before,
                reason=" ".join(self.data.get("reason", "").split())[:500],
            ) as entry:  # fmt: skip
                entry.after, sentence = self._send()
        except UnknownResult:
            messages.warning(self.request, UNKNOWN)
        else:
            messages.success(self.request, sentence)
        whole = self.do == "delete"
        return redirect(
            room.url("groups", self.server, self.key)
            if whole
            else room.url("group", self.server, self.key, self.group)
        )

    def _send(self) -> tuple[dict[str, Any], str]:
        name, group = room.short(self.group), self.standing.group
        if self.do == "move":
            to = check_id(
                self.data.get("id", "").strip()
                if self.data["start"] == "id"
                else self.data["start"]
            )
            known = {"0": 0, "$": self.standing.look.added}.get(to)
            self.groups.set_id(self.group, to, entries_read=known)
            return {"read to": to}, f"{name} goes on after {self._target(to)}."
        if self.do == "delete":
            was = self.groups.delete(self.group)
            ends = f"It had read to {group.last_delivered}: a new group from there goes on."
            return {
                "deleted": was
            }, f"Deleted {name}. {ends}" if was else f"{name} was gone already."
        consumer = self._consumer()
        dropped = self.groups.delete_consumer(self.group, consumer.name)
        told = f", and with it {dropped:,} pending {showing.entries(dropped)}" if dropped else ""
        after = {"consumer": keys.printable(consumer.name), "pending dropped": dropped}
        return after, f"Deleted the consumer {room.short(consumer.name)}{told}."


def _page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    response = render(request, template, context, status=422 if context.get("wrong") else 200)
    response["Cache-Control"] = "no-store"
    return response
