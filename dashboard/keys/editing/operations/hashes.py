"""Edits of hashes: their fields, and when a field expires."""

from __future__ import annotations

from typing import Any

from dashboard.keys.editing import fields, times
from dashboard.keys.editing.operations.base import (
    EditForm,
    Operation,
    Remove,
    TypedForm,
    ValueOperation,
)
from redisops.edits import DeleteField, Edit, ExpireField, SetField
from redisops.elements import Element


class FieldForm(TypedForm):
    field = fields.BytesField(label="Field")


class AddField(Operation):
    do = "add-field"
    edits = "hash.set"
    title = "Add a field"
    button = "Add the field"
    icon = "plus"
    noun = "field"
    done = "added"
    form_class = FieldForm

    def initial(self, element: Element) -> dict[str, Any]:
        return {"spelled": "text"}

    def edit(self, data: dict[str, Any]) -> Edit:
        return SetField(self.key, data["field"], data["value"])


class SetFieldValue(ValueOperation):
    do = "field"
    edits = "hash.set"
    which = noun = "field"
    what = "hash"
    title = "Edit a field"
    button = "Save the field"

    def edit(self, data: dict[str, Any]) -> Edit:
        return SetField(self.key, self.place, data["value"], self.seen(data))


class RemoveField(Remove):
    do = "remove-field"
    edits = "hash.delete"
    what = "hash"
    which = noun = "field"
    title = "Remove a field"
    button = "Remove the field"

    def edit(self, data: dict[str, Any]) -> Edit:
        return DeleteField(self.key, self.place, self.seen(data))


class FieldWhenForm(EditForm):
    when = fields.WhenField(
        required=False, label="Expires", help_text=f"{times.HINT} Empty: never."
    )


class FieldExpiry(Operation):
    do = "field-expiry"
    edits = "hash.expire"
    what = "hash"
    which = noun = "field"
    title = "Set a field's expiry"
    button = "Set the expiry"
    icon = "clock"
    done = "to expire as you said"
    form_class = FieldWhenForm

    def initial(self, element: Element) -> dict[str, Any]:
        at = element.field_at
        words = times.written(at) if at is not None else ""
        return super().initial(element) | {"when": words}

    def edit(self, data: dict[str, Any]) -> Edit:
        at = self.read_when(data) if data["when"] else None
        return ExpireField(self.key, self.place, at, self.seen(data))
