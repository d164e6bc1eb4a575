"""Declare a sorted set as a leaderboard, change what was declared, take it back."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from dashboard.accounts.models import Team
from dashboard.audit import record
from dashboard.leaderboards.boards import places
from dashboard.leaderboards.boards.models import (
    LONGEST_KEY,
    WINDOW,
    Board,
    Every,
    Order,
    Ties,
    Window,
)
from dashboard.leaderboards.seasons import times
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from redisops import keys

NAME = re.compile(r"[\w][\w .+-]{0,79}")
TEXT = {"class": "form-control", "autocomplete": "off"}
MONO = {"class": "form-control mono", "autocomplete": "off", "autocapitalize": "off",
        "spellcheck": "false", "dir": "ltr"}  # fmt: skip
SELECT = {"class": "form-select"}
TOLD = ("name", "key", "window", "ties", "order", "first_wins", "details", "team", "top", "every")


class BoardForm(forms.Form):
    """What is typed; keys as people read them, with escapes."""

    name = forms.CharField(max_length=80, widget=forms.TextInput(attrs=TEXT))
    key = forms.CharField(max_length=4 * LONGEST_KEY, widget=forms.TextInput(attrs=MONO))
    window = forms.ChoiceField(choices=Window.choices, widget=forms.Select(attrs=SELECT))
    order = forms.ChoiceField(choices=Order.choices, widget=forms.Select(attrs=SELECT))
    ties = forms.ChoiceField(choices=Ties.choices, widget=forms.Select(attrs=SELECT))
    first_wins = forms.BooleanField(
        required=False, widget=forms.CheckboxInput(attrs={"class": "form-check-input"})
    )
    details = forms.CharField(
        required=False, max_length=4 * LONGEST_KEY, widget=forms.TextInput(attrs=MONO)
    )
    team = forms.ModelChoiceField(
        Team.objects.all(), required=False, empty_label="Nobody",
        widget=forms.Select(attrs=SELECT),
    )  # fmt: skip
    top = forms.IntegerField(
        min_value=1, max_value=100, initial=10, widget=forms.NumberInput(attrs=TEXT)
    )
    every = forms.ChoiceField(
        choices=Every.choices, required=False, widget=forms.Select(attrs=SELECT)
    )

    def __init__(self, server: Server, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.server = server

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"]).strip()
        if not NAME.fullmatch(name):
            raise ValidationError("Letters, digits, spaces, dots, dashes and +, at most 80.")
        return name

    def clean_key(self) -> bytes:
        return self._key("key")

    def clean_details(self) -> bytes:
        return self._key("details")

    def _key(self, name: str) -> bytes:
        key = keys.from_printable(str(self.cleaned_data[name] or "").strip())
        if len(key) > LONGEST_KEY:
            raise ValidationError("This is longer than 1,024 bytes.")
        if key and self.server.protects(key):
            raise ValidationError("Names that begin so belong to the console itself.")
        return key

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        key, window = data.get("key"), data.get("window")
        if key is None or window is None:
            return data
        has = key.count(WINDOW)
        if window != Window.ALL and has != 1:
            self.add_error("key", "Write <window> once where the label of the window stands.")
        if window == Window.ALL and has:
            self.add_error("key", "A board of all time has no <window> in its key.")
        needs = data.get("first_wins") or data.get("ties") == Ties.DENSE
        if needs and places.layout(key) is None:
            self.add_error(
                "first_wins" if data.get("first_wins") else "ties",
                "Only boards that the library keeps can tell this: their keys are "
                "prefix{name}:<window>, or prefix{name}:all.",
            )
        if window != Window.ALL and data.get("every"):
            self.add_error("every", "A board with windows begins anew with each of them.")
        return data


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("leaderboards.declare")
def create(request: HttpRequest, server: Server) -> HttpResponse:
    """An empty form, or one for the key that the address names."""
    if request.method != "POST":
        key = request.GET.get("key", "")[: 4 * LONGEST_KEY]
        form = BoardForm(server, initial={"key": key, "name": _name(key), "top": 20})
        return _form(request, form, None)
    return _saved(request, server, Board(server=server), "leaderboards.create")


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("leaderboards.declare")
def update(request: HttpRequest, server: Server, name: str) -> HttpResponse:
    board = places.find(server, name)
    if request.method != "POST":
        told = told_of(board) | {"team": board.team_id}
        return _form(request, BoardForm(server, initial=told), board)
    return _saved(request, server, board, "leaderboards.update")


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("leaderboards.delete")
def delete(request: HttpRequest, server: Server, name: str) -> HttpResponse:
    """Take the declaration and its history back; the sorted set stays as it is."""
    board = places.find(server, name)
    if request.method != "POST":
        return render(request, "leaderboards/delete.html", {"board": board})
    why = request.POST.get("reason", "").strip()[:500]
    with transaction.atomic():
        record(request, "leaderboards.forget", server=server.slug, target=board.name,
               before=told_of(board), reason=why)  # fmt: skip
        board.delete()
    messages.success(request, f"{name} is no declared leaderboard any more. Its key stays.")
    return redirect("leaderboards:index", server.slug)


def told_of(board: Board) -> dict[str, Any]:
    """A declaration as people read it: for the form, and for the audit."""
    return {
        "name": board.name, "key": keys.printable(board.template), "window": board.window,
        "ties": board.ties, "order": board.order, "first_wins": board.first_wins,
        "details": keys.printable(board.details_key), "team": str(board.team or ""),
        "top": board.top, "every": board.every,
    }  # fmt: skip


def _saved(request: HttpRequest, server: Server, board: Board, action: str) -> HttpResponse:
    form = BoardForm(server, request.POST)
    known = board if board.pk else None
    before = told_of(board) if known else None
    if not form.is_valid():
        return _form(request, form, known, status=422)
    for field in TOLD:
        setattr(board, field, form.cleaned_data[field])
    board.next_look = timezone.now()
    board.next_end = times.next_end(board.every, timezone.now())
    try:
        with transaction.atomic():
            board.save()
            record(request, action, server=server.slug, target=board.name, before=before,
                   after=told_of(board))  # fmt: skip
    except IntegrityError:
        form.add_error("name", "There is a leaderboard of that name already.")
        return _form(request, form, known, status=422)
    messages.success(request, f"{board.name} is declared.")
    return redirect(board)


def _form(
    request: HttpRequest, form: BoardForm, board: Board | None, *, status: int = 200
) -> HttpResponse:
    shown = Board.objects.get(pk=board.pk) if board else None
    return render(
        request, "leaderboards/declare.html", {"form": form, "board": shown}, status=status
    )


def _name(key: str) -> str:
    """A first idea of a name from the key."""
    words = re.sub(r"[^\w .+-]+", " ", key.replace("<window>", "")).split()
    return " ".join(words)[:80]
