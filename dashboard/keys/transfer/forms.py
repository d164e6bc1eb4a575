"""What people choose when they export and import."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from dashboard.keys.browsing.forms import BytesField
from dashboard.keys.bulk.forms import CHOICE, MONO, PLAIN
from dashboard.keys.transfer.models import Archive
from redisops.archives import DUMP, LINES

FORMATS = (
    (LINES, "JSON lines, for people and other programs"),
    (DUMP, "DUMP archive, complete, for a server of this version or newer"),
)
CONFLICTS = (
    ("skip", "Leave that key alone"),
    ("replace", "Replace it, and keep the old value for undo"),
    ("fail", "Write nothing at all if any name is taken"),
)


class ExportForm(forms.Form):
    """In which form, how fast, and why."""

    format = forms.ChoiceField(choices=FORMATS, initial=LINES, widget=forms.Select(CHOICE))
    limit = forms.IntegerField(
        required=False, min_value=1, max_value=1_000_000, widget=forms.NumberInput(PLAIN)
    )
    reason = forms.CharField(required=False, max_length=500, widget=forms.TextInput(PLAIN))

    @property
    def arguments(self) -> dict[str, Any]:
        data = self.cleaned_data
        return {"format": data["format"], "why": data["reason"].strip(), "limit": data["limit"]}


class UploadForm(forms.Form):
    file = forms.FileField(
        widget=forms.ClearableFileInput(
            {"class": "form-control", "accept": ".jsonl,.dump,.ndjson,application/octet-stream"}
        ),
        error_messages={"required": "Choose a file first."},
    )


class ImportForm(forms.Form):
    """What becomes of names that are taken; other names; how fast; production asks twice."""

    conflict = forms.ChoiceField(choices=CONFLICTS, initial="skip", widget=forms.Select(CHOICE))
    old = BytesField(widget=forms.TextInput(MONO))
    new = BytesField(widget=forms.TextInput(MONO))
    limit = forms.IntegerField(
        required=False, min_value=1, max_value=1_000_000, widget=forms.NumberInput(PLAIN)
    )
    reason = forms.CharField(required=False, max_length=500, widget=forms.TextInput(PLAIN))
    confirm = forms.CharField(required=False, max_length=200, widget=forms.TextInput(MONO))

    def __init__(self, archive: Archive, *args: Any, **options: Any) -> None:
        self.server = archive.server
        super().__init__(*args, **options)
        if not self.server.is_production:
            del self.fields["confirm"]
        if self.is_bound:
            self.full_clean()
            for name in self.errors:
                if name in self.fields:
                    self.fields[name].widget.attrs["aria-invalid"] = "true"

    @property
    def rename(self) -> tuple[bytes, bytes] | None:
        """The old and the new prefix; None when names stay as they are."""
        old, new = (self.cleaned_data.get(name) or b"" for name in ("old", "new"))
        return (old, new) if old != new else None

    @property
    def arguments(self) -> dict[str, Any]:
        data = self.cleaned_data
        old, new = self.rename or (b"", b"")
        told = {"conflict": data["conflict"], "limit": data["limit"]}
        return {**told, "old": old, "new": new, "why": data["reason"].strip()}

    def clean_reason(self) -> str:
        reason: str = self.cleaned_data["reason"].strip()
        if not reason and self.server.is_production:
            raise ValidationError("Production asks why. It is kept in the audit.")
        return reason

    def clean_confirm(self) -> str:
        told: str = self.cleaned_data["confirm"].strip()
        if told != self.server.name:
            raise ValidationError(f"Type {self.server.name} here, exactly so.")
        return told
