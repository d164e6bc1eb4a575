"""Deleting one key: what goes is shown, kept in the recycle bin, unlinked if still the same."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse

from dashboard import undo
from dashboard.audit import recording
from dashboard.audit.models import Result
from dashboard.keys.editing import fields
from dashboard.keys.editing.showing import Note, Page
from dashboard.keys.editing.trouble import TROUBLE, note_plain, protected
from dashboard.servers.models import Server
from redisops import keys
from redisops.elements import Elements
from redisops.errors import InvalidArgument, UnknownResult
from redisops.keyspace import Keyspace

ACTION = "key.delete"  # of the audit and of the recycle bin


class DeleteForm(forms.Form):
    """The reason, and on production the server's name."""

    reason = forms.CharField(
        required=False, max_length=500,
        widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off"}),
    )  # fmt: skip

    def __init__(self, server: Server, data: Any = None) -> None:
        super().__init__(data)
        self.server = server
        if server.is_production:
            self.fields["confirm"] = forms.CharField(
                required=False, max_length=200, widget=forms.TextInput(attrs=fields.MONO)
            )

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if self.server.is_production:
            name = self.server.name
            if data.get("confirm", "").strip() != name:
                self.add_error("confirm", f"The name is {name}; nothing was deleted.")
            if not data.get("reason", "").strip():
                self.add_error("reason", "Say why: this is production.")
        return data


class Deleting:
    """One request to delete one key."""

    def __init__(self, request: HttpRequest, server: Server, key: bytes) -> None:
        self.request = request
        self.server = server
        self.key = key
        self.page = Page(request, server, key)

    def answer(self) -> HttpResponse:
        if self.server.protects(self.key):
            return protected(self.request, self.page, "key.delete")
        step = self.request.POST.get("step", "save") if self.request.method == "POST" else "form"
        if step == "form":
            return self.shown(DeleteForm(self.server))
        if step == "check":
            return self.checked()
        form = DeleteForm(self.server, self.request.POST)
        if not form.is_valid():
            return self.shown(form, status=422)
        return self.deleted(form)

    def shown(
        self,
        form: DeleteForm,
        note: Note | None = None,
        *,
        status: int = 200,
        without_undo: str = "",
    ) -> HttpResponse:
        row = None
        try:
            row = Keyspace(self.server.client()).lookup(self.key)
        except TROUBLE as error:
            if note is None and self.request.method == "GET":
                raise
            note = note or note_plain(error)
        else:
            if row is None:
                return self.page.answer("_gone", status=404)
        if not without_undo and row is not None and status == 200:
            without_undo = undo.can_keep(self.server, row.memory or 0, row.memory or 0)
        return self.page.answer(
            "_delete", status=status, form=form, note=note, row=row, without_undo=without_undo
        )

    def deleted(self, form: DeleteForm) -> HttpResponse:
        reason = form.cleaned_data["reason"].strip()
        keeps = self.request.POST.get("without_undo") != "on"
        redis = self.server.client()
        try:
            row = Keyspace(redis).lookup(self.key)
        except InvalidArgument:
            raise
        except TROUBLE as error:
            return self.shown(form, note_plain(error), status=503)
        if row is None:
            return self.page.answer("_gone", status=404)
        removal = None
        if keeps:
            removal = undo.begin(self.request, self.server, action=ACTION, why=reason)
        try:
            with recording(
                self.request,
                ACTION,
                server=self.server.slug,
                target=self.key,
                reason=reason,
                before={"type": row.type, "bytes": row.memory, "ttl": row.ttl},
            ) as entry:
                if removal is not None:
                    [word] = removal.remove(redis, [self.key])
                else:
                    word = "removed" if Elements(redis).unlink(self.key) else "gone"
                if word == "removed":
                    entry.after = {"undo": removal.pk if removal else None}
                else:
                    entry.result, entry.reason = Result.REFUSED, word
        except undo.CannotKeep as error:
            return self.unkept(form, str(error))
        except UnknownResult as error:
            carried = self.page.posted("removal")
            if removal is not None:
                carried.append(("removal", str(removal.pk)))
            return self.page.answer(
                "_unknown", status=503, note=Note.of(error), carried=carried, is_delete=True
            )
        except InvalidArgument:
            raise
        except TROUBLE as error:
            return self.shown(form, Note.of(error), status=503)
        return self.told(form, word, removal)

    def told(self, form: DeleteForm, word: str, removal: Any) -> HttpResponse:
        """What became of it, by the library's word."""
        kind, _, why = word.partition(": ")
        if kind == "removed":
            if removal is None:
                messages.success(
                    self.request, f"Deleted {keys.printable(self.key)[:200]} for good."
                )
            url = self.page.list_url
            if removal is not None:
                url += ("&" if "?" in url else "?") + urlencode({"undo": removal.pk})
            return self.page.go(url)
        if kind == "gone":
            return self.page.answer("_gone", status=404)
        if kind == "too big":
            return self.unkept(form, why)
        sentence = "Somebody changed it at this moment. Look at it again."
        return self.shown(form, Note("Nothing was deleted.", why or sentence), status=409)

    def unkept(self, form: DeleteForm, why: str) -> HttpResponse:
        note = Note("Nothing was deleted.", "The recycle bin cannot keep it.")
        return self.shown(form, note, status=409, without_undo=why)

    def checked(self) -> HttpResponse:
        """After a lost reply: whether the key is there; the recycle bin learns it, too."""
        number = self.request.POST.get("removal", "")
        removal = undo.kept_of(self.server, self.key, ACTION, number)
        try:
            redis = self.server.client()
            if removal is not None:
                removal.look(redis)
            there = Elements(redis).look(self.key).exists
        except TROUBLE as error:
            return self.page.answer(
                "_unknown", status=503, note=note_plain(error), carried=self.page.posted(),
                is_check=True, is_delete=True,
            )  # fmt: skip
        return self.page.answer(
            "_checked", verdict="not done" if there else "done", is_delete=True,
            carried=self.page.posted("removal"),
        )  # fmt: skip
