"""Adding one entry: names and values by lines, the id by the server unless somebody insists."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from dashboard import undo
from dashboard.audit import recording
from dashboard.audit.models import Result
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
from redisops import keys
from redisops.edits import AddEntry, Edits, Missing, Refused, Saved
from redisops.errors import InvalidArgument, UnknownResult

ACTION = "streams.add"
ESCAPES = r"\n is a line break, \xNN one byte, \\ a backslash."


class AddForm(Asking):
    """Fields by lines, and an id."""

    fields_text = forms.CharField(
        label="Fields", strip=False, max_length=1_000_000,
        widget=forms.Textarea(attrs={**MONO, "rows": 8, "placeholder": "order = NO-771871"}),
        help_text=f"One on a line: name = value. A name may come again. {ESCAPES}",
    )  # fmt: skip
    entry_id = forms.CharField(
        label="Id", required=False, max_length=50,
        widget=forms.TextInput(attrs={**MONO, "placeholder": "*"}),
        help_text="Empty: the server's clock. An own id must be above the last one.",
    )  # fmt: skip

    def clean_fields_text(self) -> tuple[tuple[bytes, bytes], ...]:
        text = self.cleaned_data["fields_text"].replace("\r\n", "\n")
        lines = [(n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
        pairs = []
        for number, line in lines:
            name, sign, value = line.partition("=")
            if not sign:
                raise ValidationError(f"Line {number} has no = between name and value.")
            try:
                pairs.append((_bytes(name.strip(" ")), _bytes(value.strip(" "))))
            except InvalidArgument as error:
                raise ValidationError(f"Line {number}: {error}") from error
        if not pairs:
            raise ValidationError("An entry has at least one field.")
        return tuple(pairs)

    def edit(self, key: bytes) -> AddEntry:
        """Raises InvalidArgument for an id that is none."""
        entry_id = self.cleaned_data["entry_id"].strip() or "*"
        return AddEntry(key, self.cleaned_data["fields_text"], entry_id)


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("streams.add")
def add(request: HttpRequest, server: Server, key: bytes) -> HttpResponse:
    """A form, and on POST the entry, once."""
    if server.protects(key):
        return refused(request, server, key, ACTION)
    if request.method != "POST":
        return _shown(request, server, key, AddForm(server))
    form = AddForm(server, request.POST)
    if not form.is_valid() or not form.check_asked():
        return _shown(request, server, key, form, status=422)
    try:
        edit = form.edit(key)
    except InvalidArgument as error:
        form.add_error("entry_id", str(error))
        return _shown(request, server, key, form, status=422)
    return _added(request, server, form, edit)


def _added(request: HttpRequest, server: Server, form: AddForm, edit: AddEntry) -> HttpResponse:
    reason = form.cleaned_data["reason"].strip()
    try:
        with recording(
            request, ACTION, server=server.slug, target=edit.key, reason=reason
        ) as entry:
            outcome = Edits(server.client()).apply(edit)
            if isinstance(outcome, Saved):
                told: Any = dict(outcome.after.fields)
                entry.after = {"entry": outcome.after.data, "fields": told}
            else:
                entry.result, entry.reason = Result.REFUSED, _why(outcome)
    except UnknownResult:
        note = Note("Result unknown.", UNKNOWN + " Look at the newest entries first.", tone="warn")
        return _shown(request, server, edit.key, form, note, status=503, is_unknown=True)
    except InvalidArgument as error:
        note = Note("Nothing was changed.", str(error))
        return _shown(request, server, edit.key, form, note, status=422)
    except TROUBLE as error:
        return _shown(request, server, edit.key, form, Note.of(error), status=503)
    if not isinstance(outcome, Saved):
        note = Note("Nothing was added.", _why(outcome))
        return _shown(request, server, edit.key, form, note, status=409)
    return _gone_on(request, server, edit, outcome, reason)


def _gone_on(
    request: HttpRequest, server: Server, edit: AddEntry, outcome: Saved, reason: str
) -> HttpResponse:
    """The stream, with the way back where the recycle bin keeps one."""
    new_id = (outcome.after.data or b"").decode()
    url = reverse("streams:show", args=[server.slug, edit.key])
    if outcome.inverse is not None:
        try:
            removal = undo.begin(request, server, action=ACTION, why=reason)
            removal.keep_edit(edit.key, outcome.inverse.to_dict())
            return redirect(f"{url}?undo={removal.pk}")
        except undo.CannotKeep:
            pass  # adding took nothing away: it may be deleted by hand
    messages.success(request, f"Added {new_id} to {keys.printable(edit.key)[:120]}.")
    return redirect(url)


def _why(outcome: Any) -> str:
    match outcome:
        case Refused(reason):
            return f"{reason} {outcome.instead}".strip()
        case Missing():
            return "The stream is gone by now. Make it again in Keys."
    return "The key is not a stream any more."


def _shown(
    request: HttpRequest, server: Server, key: bytes, form: AddForm, note: Note | None = None,
    *, status: int = 200, is_unknown: bool = False,
) -> HttpResponse:  # fmt: skip
    context = {"key": key, "form": form, "note": note, "is_unknown": is_unknown}
    return answer(request, "streams/add.html", context, status)


def _bytes(text: str) -> bytes:
    return keys.from_printable(text.replace("\\n", "\\x0a"))
