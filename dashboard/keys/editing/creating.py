"""Making a key of any type, only where there is none."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse

from dashboard.keys.editing import applying, fields, spelling, times
from dashboard.keys.editing.showing import Note, Page
from dashboard.keys.editing.trouble import TROUBLE, note_plain
from dashboard.servers.models import Server
from redisops import keys
from redisops.edits import Create, Edits, Exists, Refused, Saved
from redisops.elements import Elements
from redisops.errors import InvalidArgument, UnknownResult

# By kind: what it is called, and what its rows are.
KINDS = {
    "string": ("String", "One value of any bytes."),
    "hash": ("Hash", "Fields with values."),
    "list": ("List", "Elements in order, the first one first."),
    "set": ("Set", "Members, each once."),
    "zset": ("Sorted set", "Members with scores."),
    "stream": ("Stream", "Its first entry."),
    "geo": ("Places", "A sorted set of places."),
    "hyperloglog": ("HyperLogLog", "Counts distinct elements in 12 KiB."),
    "json": ("JSON", "One document."),
    "vectorset": ("Vector set", "Elements with their vectors."),
}
LINES = {
    "list": (1, r"One element on a line."),
    "set": (1, r"One member on a line."),
    "zset": (2, r"One on a line: score, then member."),
    "geo": (3, r"One on a line: longitude, latitude, then member."),
    "hyperloglog": (1, r"One element on a line."),
}


class CreateForm(forms.Form):
    """Name, content and expiry of a new key; ``edit`` is what makes it."""

    name = fields.BytesField(required=True, label="Name")
    when = fields.WhenField(required=False, label="Expires")

    field_order = ("name", "spelled", "value", "rows", "id", "when")

    def __init__(
        self, server: Server, kind: str, data: Any = None, *, now: int = 0, **options: Any
    ) -> None:
        super().__init__(data, **options)
        self.now = now
        self.server = server
        self.kind = kind
        self.edit: Create | None = None
        hint = rf"{fields.ESCAPES}"
        if kind in ("string", "json"):
            self.fields["value"] = fields.ValueField(rows=8, label="Value")
            choices = [("text", "Text")] if kind == "json" else list(spelling.PLAIN.items())
            self.fields["spelled"] = forms.ChoiceField(
                choices=choices, initial="text", label="Typed as",
                widget=forms.Select(attrs={"class": "form-select"}),
            )  # fmt: skip
        elif kind in LINES:
            columns, words = LINES[kind]
            self.fields["rows"] = fields.LinesField(
                columns, label="Content", help_text=f"{words} {hint}"
            )
        else:
            self.fields["rows"] = fields.PairsField(label="Content")
        if kind == "vectorset":
            self.fields["rows"].help_text = f"One on a line: element = numbers. {hint}"
        self.fields["when"].help_text = f"{times.HINT} Empty: never."
        self.order_fields(self.field_order)

    def clean_name(self) -> bytes:
        name: bytes = self.cleaned_data["name"]
        if self.server.protects(name):
            raise ValidationError("Names that begin so belong to the console itself.")
        return name

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors:
            return data
        try:
            expires_at = times.read(data["when"], self.now) if data["when"] else None
        except times.BadTime as error:
            raise ValidationError({"when": str(error)}) from error
        rows = ((fields.value_of(data, None),),) if "value" in self.fields else self._rows(data)
        try:
            self.edit = Create(data["name"], self.kind, rows, expires_at)  # type: ignore[arg-type]
        except InvalidArgument as error:
            words = str(error)
            raise ValidationError(f"{words[:1].upper()}{words[1:]}.") from error
        return data

    def _rows(self, data: dict[str, Any]) -> tuple[tuple[bytes, ...], ...]:
        rows: tuple[tuple[bytes, ...], ...] = data["rows"]
        if self.kind == "zset":
            return tuple((member, score) for score, member in rows)
        if self.kind == "geo":
            return tuple((member, longitude, latitude) for longitude, latitude, member in rows)
        if self.kind == "stream":
            return ((b"*", *(part for pair in rows for part in pair)),)
        if self.kind == "vectorset":
            return tuple((name, *numbers.replace(b",", b" ").split()) for name, numbers in rows)
        return rows


class Creating:
    """One request to make a key."""

    def __init__(self, request: HttpRequest, server: Server) -> None:
        self.request = request
        self.server = server
        self.page = Page(request, server, None)
        told = request.POST if request.method == "POST" else request.GET
        kind = told.get("kind", "")
        self.kind = kind if kind in KINDS else "string"

    def answer(self) -> HttpResponse:
        if self.request.method != "POST":
            name = self.request.GET.get("name") or self.request.GET.get("prefix", "")
            return self.shown(CreateForm(self.server, self.kind, initial={"name": name[:8192]}))
        try:
            now = Elements(self.server.client()).look(b"").now
        except TROUBLE as error:
            form = CreateForm(self.server, self.kind, initial=dict(self.page.posted()))
            return self.shown(form, note_plain(error), status=503)
        form = CreateForm(self.server, self.kind, self.request.POST, now=now)
        if not form.is_valid() or form.edit is None:
            return self.shown(form, status=422)
        if self.request.POST.get("step") == "check":
            return self.checked(form.edit)
        return self.made(form, form.edit)

    def made(self, form: CreateForm, edit: Create) -> HttpResponse:
        try:
            done = applying.apply(self.request, self.server, edit, action="key.create")
        except UnknownResult as error:
            self.page.key = edit.key
            return self.page.answer(
                "_unknown", status=503, note=Note.of(error), carried=self.sent(edit),
                is_create=True,
            )  # fmt: skip
        except InvalidArgument:
            raise
        except TROUBLE as error:
            return self.shown(form, Note.of(error), status=503)
        match done.outcome:
            case Saved():
                messages.success(self.request, f"{keys.printable(edit.key)[:200]} is created.")
                self.page.key = edit.key
                return self.page.go(self.page.back_url)
            case Exists():
                taken = "A key of this name is there already; nothing was changed."
                form.add_error("name", taken)
                return self.shown(form, status=409, taken=edit.key)
            case Refused(reason, detail, instead):
                words = reason.removesuffix(" Nothing was changed.")
                note = Note("Nothing was created.", words, detail, instead)
                return self.shown(form, note, status=409)
        return self.shown(
            form, Note("Nothing was created.", applying.words_of(done.outcome)), status=409
        )

    def sent(self, edit: Create) -> list[tuple[str, str]]:
        """The fields that make the very same key; a duration as the moment it meant."""
        if edit.expires_at is None:
            return self.page.posted()
        return [*self.page.posted("when"), ("when", times.fixed(edit.expires_at))]

    def shown(
        self, form: CreateForm, note: Note | None = None, *, status: int = 200,
        taken: bytes | None = None,
    ) -> HttpResponse:  # fmt: skip
        lacking: dict[str, str] = {}
        try:
            features = self.server.client().features()
            lacking = {kind: Edits.lacks(features, "create", kind) for kind in KINDS}
        except TROUBLE as error:
            if note is None and self.request.method != "POST":
                raise
            note = note or note_plain(error)
        kinds = [
            {"name": kind, "label": KINDS[kind][0], "why_not": lacking.get(kind, ""),
             "url": self.page.create_url(kind), "is_chosen": kind == self.kind}
            for kind in KINDS
        ]  # fmt: skip
        if lacking.get(self.kind) and note is None:
            why = lacking[self.kind]
            note = Note("This server cannot keep such a key.", f"{why[:1].upper()}{why[1:]}.")
        return self.page.answer(
            "_create", status=status, form=form, note=note, kinds=kinds, kind=self.kind,
            about=KINDS[self.kind][1], taken=taken, why_not=lacking.get(self.kind, ""),
        )  # fmt: skip

    def checked(self, edit: Create) -> HttpResponse:
        """After a lost reply: whether the key is there, and as it was to be."""
        self.page.key = edit.key
        try:
            verdict = Edits(self.server.client()).check(edit)
            what: Any = edit.kind if edit.kind == "string" else "key"
            found = Elements(self.server.client()).look(edit.key, what)
        except TROUBLE as error:
            return self.page.answer(
                "_unknown", status=503, note=note_plain(error), carried=self.page.posted(),
                is_check=True, is_create=True,
            )  # fmt: skip
        if verdict == "unclear" and not found.exists:
            verdict = "not done"
        elif verdict == "unclear" and found.data == edit.rows[0][0]:
            verdict = "done"
        return self.page.answer(
            "_checked", verdict=verdict, carried=self.page.posted(), is_create=True
        )
