"""Edits of whole keys: when they expire, what they are called, a copy of them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from dashboard.keys.editing import fields, times
from dashboard.keys.editing.operations.base import EditForm, Operation
from redisops import keys
from redisops.edits import Copy, Edit, Expire, Rename
from redisops.elements import Element


class ExpiryForm(EditForm):
    when = fields.WhenField(label="Expires")


class SetExpiry(Operation):
    do = "expiry"
    edits = "expire"
    title = "Set the expiry"
    button = "Set the expiry"
    icon = "clock"
    noun = "expiry"
    done = "set"
    action = "key.expire"
    form_class = ExpiryForm

    def initial(self, element: Element) -> dict[str, Any]:
        at = element.expires_at
        words = times.written(at) if at is not None else ""
        return {"when": words}

    def edit(self, data: dict[str, Any]) -> Edit:
        return Expire(self.key, self.read_when(data))


class Persist(Operation):
    do = "persist"
    edits = "expire"
    title = "Remove the expiry"
    button = "Remove the expiry"
    icon = "infinity"
    noun = "expiry"
    done = "removed: the key stays until somebody deletes it"
    action = "key.persist"

    def closed(self, element: Element) -> str:
        return "" if element.expires_at is not None else "It has no expiry."

    def initial(self, element: Element) -> dict[str, Any]:
        return {}

    def edit(self, data: dict[str, Any]) -> Edit:
        return Expire(self.key, None)


class NameForm(EditForm):
    to = fields.BytesField(label="New name", required=True)
    replace = forms.BooleanField(
        required=False, label="Replace a key of that name if there is one",
        widget=forms.CheckboxInput(attrs={"class": "form-check-input"}),
    )  # fmt: skip

    def clean_to(self) -> bytes:
        to: bytes = self.cleaned_data["to"]
        if self.operation.server.protects(to):
            raise ValidationError("Names that begin so belong to the console itself.")
        return to


class _Naming(Operation):
    noun = "key"
    form_class = NameForm

    @property
    def asks_twice(self) -> bool:
        """Only when a key may be overwritten."""
        return self.server.is_production and self.told.get("replace") == "on"

    @property
    def new_name(self) -> bytes:
        return keys.from_printable(self.told.get("to", ""))

    def initial(self, element: Element) -> dict[str, Any]:
        return {"to": self.key}


class RenameKey(_Naming):
    do = "rename"
    edits = "rename"
    title = "Rename the key"
    button = "Rename the key"
    done = "renamed"
    action = "key.rename"

    @property
    def sentence(self) -> str:
        return f"{keys.printable(self.key)[:120]} is {keys.printable(self.new_name)[:120]} now."

    def edit(self, data: dict[str, Any]) -> Edit:
        return Rename(self.key, data["to"], data["replace"])


class CopyKey(_Naming):
    do = "copy"
    edits = "copy"
    title = "Duplicate the key"
    button = "Duplicate the key"
    icon = "copy"
    done = "copied"
    action = "key.copy"
    hint = "The copy has the same value and the same expiry."

    def initial(self, element: Element) -> dict[str, Any]:
        return {"to": self.key + b":copy"}

    @property
    def sentence(self) -> str:
        to = keys.printable(self.new_name)[:120]
        return f"{to} is a copy of {keys.printable(self.key)[:120]}."

    def edit(self, data: dict[str, Any]) -> Edit:
        return Copy(self.key, data["to"], data["replace"])
