"""Trimming a stream: first what would go and what each group would lose, then the trim."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from dashboard import undo
from dashboard.audit import recording
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from dashboard.streams.changing.common import (
    MONO,
    TROUBLE,
    UNKNOWN,
    Asking,
    Note,
    answer,
    refused,
)
from dashboard.streams.reading.showing import read_place
from dashboard.streams.reading.views import not_there
from redisops.dumps import Dump, Dumps
from redisops.errors import InvalidArgument, UnknownResult
from redisops.keyspace import Keyspace
from redisops.streams.trimming import Preview, StreamGone, Trim, Trimming
from redisops.values.calls import ScriptsRefused

ACTION = "streams.trim"
TICK = {"class": "form-check-input"}


class TrimForm(Asking):
    """Which entries stay; ``trim`` is the rule once it is valid."""

    by = forms.ChoiceField(
        choices=[("length", "the newest, this many"), ("id", "from an id or time on")],
        initial="length", widget=forms.RadioSelect(attrs=TICK),
    )  # fmt: skip
    value = forms.CharField(max_length=60, widget=forms.TextInput(attrs=MONO))
    # The first entry that the preview let stay: what came since must not push more out.
    kept = forms.CharField(required=False, max_length=41)
    approximate = forms.BooleanField(required=False, widget=forms.CheckboxInput(attrs=TICK))
    without_undo = forms.BooleanField(required=False)

    is_seen = False
    """Whether it follows a preview, so that ``kept`` holds."""

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors:
            return data
        text = data["value"].strip().replace(",", "")
        loose = data["approximate"]
        try:
            if data["by"] == "length" and self.is_seen and data["kept"]:
                data["trim"] = Trim(min_id=data["kept"], approximate=loose)
            elif data["by"] == "id":
                data["trim"] = Trim(min_id=read_place(text), approximate=loose)
            elif text.isascii() and text.isdigit():
                data["trim"] = Trim(max_length=int(text), approximate=loose)
            else:
                self.add_error("value", "Write how many entries stay: 0 or more.")
        except InvalidArgument as error:
            self.add_error("value", str(error))
        return data


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("streams.trim")
def trim(request: HttpRequest, server: Server, key: bytes) -> HttpResponse:
    """GET asks and previews, POST trims."""
    if server.protects(key):
        return refused(request, server, key, ACTION)
    row = Keyspace(server.client()).lookup(key)
    if row is None or row.type != "stream":
        return not_there(request, server, key, row)
    if request.method == "POST":
        form = TrimForm(server, request.POST)
        form.is_seen = True
        if not form.is_valid() or not form.check_asked():
            return _shown(request, server, key, row, form, status=422)
        return _trimmed(request, server, key, row, form)
    form = TrimForm(server, request.GET if "value" in request.GET else None)
    return _shown(request, server, key, row, form, status=200 if form.is_valid() or
                  not form.is_bound else 422)  # fmt: skip


def _trimmed(
    request: HttpRequest, server: Server, key: bytes, row: Any, form: TrimForm
) -> HttpResponse:
    rule: Trim = form.cleaned_data["trim"]
    reason = form.cleaned_data["reason"].strip()
    redis = server.client()
    kept = None
    try:
        if not form.cleaned_data["without_undo"]:
            kept = _keep(request, server, key, reason)
        with recording(
            request, ACTION, server=server.slug, target=key, reason=reason,
            before={"entries": row.length},
        ) as entry:  # fmt: skip
            went = Trimming(redis, key).trim(rule)
            entry.after = {"entries": (row.length or 0) - went, "removed": went, **_words(rule)}
    except undo.CannotKeep as error:
        note = Note("Nothing was trimmed.", f"{error} Trim it without a way back, or keep more.")
        return _shown(request, server, key, row, form, note, status=409)
    except UnknownResult:
        note = Note("Result unknown.", UNKNOWN + " The preview below is what is so now.",
                    tone="warn")  # fmt: skip
        return _shown(request, server, key, row, form, note, status=503)
    except TROUBLE as error:
        _settle(kept, "refused")
        return _shown(request, server, key, row, form, Note.of(error), status=503)
    except BaseException:
        _settle(kept, "refused")
        raise
    _settle(kept, "overwritten" if went else "refused")
    url = reverse("streams:show", args=[server.slug, key])
    query = {"trimmed": went} | ({"undo": kept[0].pk} if kept is not None and went else {})
    return redirect(f"{url}?{urlencode(query)}")


def _keep(request: HttpRequest, server: Server, key: bytes, reason: str) -> Any:
    """The whole stream in the recycle bin, before anything goes; raises undo.CannotKeep."""
    [taken] = Dumps(server.client()).take([key], max_bytes=settings.UNDO_VALUE_BYTES)
    if not isinstance(taken, Dump):
        size = getattr(taken, "size", 0)
        words = undo.can_keep(server, size, size) or "The stream cannot be kept for undo."
        raise undo.CannotKeep(words)
    removal = undo.begin(request, server, action=ACTION, why=reason)
    return removal, removal.keep([taken])


def _settle(kept: Any, word: str) -> None:
    if kept is not None:
        kept[0].settle(kept[1], [word])


def _words(rule: Trim) -> dict[str, Any]:
    return {"rule": " ".join(str(word) for word in rule.words)}


def _shown(
    request: HttpRequest, server: Server, key: bytes, row: Any, form: TrimForm,
    note: Note | None = None, *, status: int = 200,
) -> HttpResponse:  # fmt: skip
    preview: Preview | None = None
    blind = ""
    rule = (
        form.cleaned_data.get("trim") if form.is_bound and hasattr(form, "cleaned_data") else None
    )
    if rule is not None:
        try:
            preview = Trimming(server.client(), key).preview(rule)
        except ScriptsRefused as error:
            blind = str(error)
        except StreamGone:
            return not_there(request, server, key, None)
        except TROUBLE as error:
            note = note or Note.of(error)
    size = row.memory or 0
    context = {
        "key": key, "row": row, "form": form, "note": note, "preview": preview, "rule": rule,
        "blind": blind, "no_undo": undo.can_keep(server, size, size),
    }  # fmt: skip
    return answer(request, "streams/trim.html", context, status)
