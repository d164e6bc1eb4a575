"""Edits of strings: the whole, its end, a bit, a HyperLogLog, and a file instead of it all."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from dashboard.keys.editing import fields
from dashboard.keys.editing.operations.base import EditForm, Operation, TypedForm, ValueOperation
from dashboard.ui import numbers
from redisops.edits import AddToHyperLogLog, AppendString, Edit, SetBit, SetString
from redisops.elements import Element

LARGEST_UPLOAD = 64 * 1024 * 1024


class SetValue(ValueOperation):
    do = "value"
    edits = "string.set"
    what = "string"
    title = "Edit the value"
    button = "Save the value"

    def edit(self, data: dict[str, Any]) -> Edit:
        return SetString(self.key, data["value"], self.seen(data))


class Append(Operation):
    do = "append"
    edits = "string.append"
    what = "string"
    title = "Append to the value"
    button = "Append"
    icon = "plus"
    done = "longer now"
    form_class = TypedForm

    def initial(self, element: Element) -> dict[str, Any]:
        return super().initial(element) | {"spelled": "text"}

    def edit(self, data: dict[str, Any]) -> Edit:
        return AppendString(self.key, data["value"], self.seen(data))


class UploadForm(EditForm):
    file = forms.FileField(
        allow_empty_file=True,
        label="File", help_text="Its bytes become the value, up to 64 MiB. The expiry stays.",
        widget=forms.ClearableFileInput(attrs={"class": "form-control"}),
    )  # fmt: skip

    def clean_file(self) -> bytes:
        file = self.cleaned_data["file"]
        if file.size > LARGEST_UPLOAD:
            raise ValidationError(f"It has {numbers.size(file.size)}; at most 64 MiB are taken.")
        return bytes(file.read())


class Upload(Operation):
    do = "upload"
    edits = "string.set"
    what = "string"
    title = "Replace the value by a file"
    button = "Replace the value"
    icon = "upload"
    done = "replaced"
    loses = True
    form_class = UploadForm

    def edit(self, data: dict[str, Any]) -> Edit:
        return SetString(self.key, data["file"], self.seen(data))


class BitForm(EditForm):
    offset = forms.IntegerField(
        min_value=0, max_value=2**32 - 1, label="Bit",
        help_text="Bit 0 is the highest of byte 0, as SETBIT counts.",
        widget=forms.TextInput(attrs={"class": "form-control mono", "inputmode": "numeric"}),
    )  # fmt: skip
    bit = forms.TypedChoiceField(
        choices=[("1", "1, set"), ("0", "0, clear")], coerce=int, label="Becomes",
        widget=forms.Select(attrs={"class": "form-select"}),
    )  # fmt: skip


class FlipBit(Operation):
    do = "bit"
    edits = "bitmap.set"
    what = "key"
    title = "Set a bit"
    button = "Set the bit"
    icon = "binary"
    noun = "bit"
    done = "changed"
    form_class = BitForm

    def edit(self, data: dict[str, Any]) -> Edit:
        return SetBit(self.key, data["offset"], data["bit"], 1 - data["bit"])


class ElementsForm(EditForm):
    elements = fields.LinesField(label="Elements")


class Count(Operation):
    do = "count"
    edits = "hyperloglog.add"
    what = "key"
    title = "Count more elements"
    button = "Count them"
    icon = "plus"
    noun = "HyperLogLog"
    done = "updated"
    hint = "A HyperLogLog cannot forget a single element; undo restores all of it as it was."
    form_class = ElementsForm

    def edit(self, data: dict[str, Any]) -> Edit:
        return AddToHyperLogLog(self.key, tuple(row[0] for row in data["elements"]))
