"""The page on which one member's score is changed, or the member added or removed."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import redis
from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from dashboard import undo
from dashboard.audit import record
from dashboard.leaderboards.boards import applying, places, reading, showing
from dashboard.leaderboards.boards.applying import Change
from dashboard.leaderboards.boards.declaring import MONO, TEXT
from dashboard.leaderboards.boards.places import Place
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from redisops import edits, keys
from redisops.errors import InvalidArgument, UnknownResult
from redisops.resilience import diagnose

LONGEST = 64 * 1024
WORDS = {
    "add": "Add a member", "set": "Set the score", "increment": "Add to the score",
    "remove": "Remove the member",
}  # fmt: skip


class ChangeForm(forms.Form):
    """One member and what is done to it. ``encoded`` names a member of any bytes."""

    do = forms.ChoiceField(choices=list(WORDS.items()))
    encoded = forms.CharField(required=False, max_length=2 * LONGEST)
    member = forms.CharField(
        required=False, strip=False, max_length=LONGEST, widget=forms.TextInput(attrs=MONO)
    )
    value = forms.CharField(
        required=False, max_length=400,
        widget=forms.TextInput(attrs=MONO | {"inputmode": "decimal"}),
    )  # fmt: skip
    seen = forms.CharField(required=False, max_length=400, widget=forms.HiddenInput)
    reason = forms.CharField(required=False, max_length=500, widget=forms.TextInput(attrs=TEXT))
    confirm = forms.CharField(required=False, max_length=200, widget=forms.TextInput(attrs=TEXT))

    def __init__(self, server: Server, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.server = server

    @property
    def asks_twice(self) -> bool:
        """Production asks for its name and a reason before what was there is replaced."""
        told = self.data.get("do") if self.is_bound else self.initial.get("do")
        return self.server.is_production and told != "add"

    def clean_value(self) -> float:
        if self.cleaned_data.get("do") == "remove":
            return 0.0
        try:
            return edits.score(str(self.cleaned_data["value"]).replace(",", ""))
        except InvalidArgument as error:
            raise ValidationError(str(error)) from error

    def clean_seen(self) -> float | None:
        text = str(self.cleaned_data["seen"])
        return edits.score(text) if text else None

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        named = data.get("encoded")
        try:
            data["bytes"] = (
                keys.from_url(named) if named else keys.from_printable(data.get("member") or "")
            )
        except InvalidArgument as error:
            raise ValidationError(str(error)) from error
        if not named and not data["bytes"]:
            self.add_error("member", "Say which member.")
        if self.asks_twice and data.get("confirm", "").strip() != self.server.name:
            self.add_error("confirm", f"Type {self.server.name} to change production.")
        if self.asks_twice and not data.get("reason", "").strip():
            self.add_error("reason", "Production needs a reason.")
        return data

    def change(self) -> Change:
        data = self.cleaned_data
        reason = data["reason"].strip()
        return Change(data["do"], data["bytes"], data["value"], data["seen"], reason)


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("leaderboards.change")
def change(request: HttpRequest, server: Server, key: bytes) -> HttpResponse:
    """The form; a POST does it, or says with the form why it did not."""
    place = places.of_key(server, key)
    if request.method != "POST":
        return _opened(request, place)
    form = ChangeForm(server, request.POST)
    try:
        valid = form.is_valid()
    except InvalidArgument:  # a score that was seen and is none: nobody's form
        valid = False
    if not valid:
        return _form(request, place, form, status=422)
    wanted = form.change()
    if request.POST.get("step") == "check":
        return _checked(request, place, form, wanted)
    try:
        done = applying.apply(request, place, wanted)
    except undo.CannotKeep as error:
        return _form(request, place, form, str(error), status=409)
    except InvalidArgument as error:
        return _form(request, place, form, f"{error}.", status=422)
    except UnknownResult:
        return _form(request, place, form, is_unknown=True, status=503)
    except redis.RedisError as error:
        return _form(request, place, form, diagnose(error).sentence, status=503)
    if done.why_not:
        return _conflict(request, place, form, done)
    name = showing.short(wanted.member)
    score = "" if done.score is None else f" has {showing.shown(done.score)} now"
    messages.success(request, f"{name}{score or ' is off the board'}.")
    return redirect(_back(place, wanted.member, done.removal, gone=wanted.do == "remove"))


def _opened(request: HttpRequest, place: Place) -> HttpResponse:
    do = request.GET.get("do", "add")
    do = do if do in WORDS else "add"
    encoded = request.GET.get("at", "")[: 2 * LONGEST]
    initial = {"do": do, "encoded": encoded}
    if encoded:
        try:
            score = applying.score_of(place, keys.from_url(encoded))
        except InvalidArgument:
            return redirect(place.url)
        except redis.ResponseError as error:
            page = reading.troubled(error)
            form = ChangeForm(place.server, initial=initial)
            return _form(request, place, form, page.words, page.status)
        if score is None:
            initial["do"] = "add"
        else:
            initial |= {"seen": showing.raw(score)}
            initial |= {"value": showing.raw(score)} if do == "set" else {}
    return _form(request, place, ChangeForm(place.server, initial=initial))


def _conflict(
    request: HttpRequest, place: Place, form: ChangeForm, done: applying.Done
) -> HttpResponse:
    """The same form with what is there now: sent again, it means that."""
    told: dict[str, Any] = {name: form.data.get(name, "") for name in form.fields}
    told["seen"] = "" if done.now is None else showing.raw(done.now)
    if told["do"] == "add" and done.now is not None:
        told["do"] = "set"
    if told["do"] in ("set", "remove") and done.now is None:
        told["do"] = "add"
    told["encoded"] = keys.to_url(form.cleaned_data["bytes"])
    words = done.why_not
    if done.now is not None:
        words += f" It has {showing.shown(done.now)} now: what you send next replaces that."
    return _form(request, place, ChangeForm(place.server, told), words, 409)


def _checked(request: HttpRequest, place: Place, form: ChangeForm, wanted: Change) -> HttpResponse:
    """After a lost reply: what the server says now. Writes nothing but what was found."""
    try:
        verdict = applying.check(place, wanted)
    except redis.RedisError as error:
        return _form(request, place, form, diagnose(error).sentence, 503, is_unknown=True)
    result = {"done": "ok", "not done": "failed", "unclear": "unknown"}[verdict]
    record(request, applying.ACTIONS[wanted.do], server=place.server.slug, target=place.key,
           result=result, reason=f"looked after a lost reply: {verdict}")  # fmt: skip
    words = {
        "done": "It was done.",
        "not done": "It was not done: the board is as you saw it. You may send it again.",
        "unclear": "Nobody can tell: others write this member too. Look at its score.",
    }[verdict]
    return _form(request, place, form, words)


def _form(
    request: HttpRequest, place: Place, form: ChangeForm, words: str = "", status: int = 200, *,
    is_unknown: bool = False,
) -> HttpResponse:  # fmt: skip
    told = form.data if form.is_bound else form.initial
    do = told.get("do", "add")
    encoded, member = told.get("encoded", ""), None
    if encoded:
        try:
            member = keys.from_url(encoded)
        except InvalidArgument:
            encoded = ""
    seen = told.get("seen", "")
    context = {
        "place": place, "board": place.board, "form": form, "do": do, "words": words,
        "title": WORDS.get(do, WORDS["add"]), "encoded": encoded, "is_unknown": is_unknown,
        "name": showing.short(member) if member is not None else "",
        "seen": showing.shown(float(seen)) if _is_score(seen) else "",
        "seen_raw": seen if _is_score(seen) else "",
        "choices": [(code, text) for code, text in WORDS.items() if code != "add"],
    }  # fmt: skip
    return render(request, "leaderboards/change.html", context, status=status)


def _is_score(text: str) -> bool:
    try:
        edits.score(text)
    except InvalidArgument:
        return False
    return bool(text)


def _back(place: Place, member: bytes, removal: Any, *, gone: bool) -> str:
    told = {"undo": removal.pk} if removal is not None else {}
    if len(member) <= showing.LONGEST_ID and not gone:
        told["at"] = keys.to_url(member)
    return f"{place.at('show')}?{urlencode(told)}" if told else place.url
