"""Edits of JSON documents and vector sets, where the server has them."""

from __future__ import annotations

from typing import Any

from django import forms

from dashboard.keys.editing import fields
from dashboard.keys.editing.operations.base import (
    EditForm,
    Operation,
    Remove,
    TypedForm,
    ValueOperation,
)
from redisops.edits import (
    AddVector,
    DeleteJson,
    Edit,
    RemoveVector,
    SetJson,
    SetVectorAttributes,
)
from redisops.elements import Element


class _AtPath(Operation):
    what = "json"
    which = "path"
    noun = "part"

    @property
    def place(self) -> str:
        return self.told.get("path", "")[:1024] or "."


class SetDocument(_AtPath, ValueOperation):
    do = "json"
    edits = "json.set"
    title = "Edit the document"
    button = "Save the document"

    def edit(self, data: dict[str, Any]) -> Edit:
        return SetJson(self.key, self.place, data["value"], self.seen(data))


class PathForm(TypedForm):
    path = forms.CharField(
        max_length=1024, label="Path", help_text="As JSON.SET takes it, such as $.cart.total.",
        widget=forms.TextInput(attrs=fields.MONO),
    )  # fmt: skip


class AddPath(Operation):
    do = "add-path"
    edits = "json.set"
    what = "key"
    title = "Add a part to the document"
    button = "Add the part"
    icon = "plus"
    noun = "part"
    done = "added"
    form_class = PathForm

    def initial(self, element: Element) -> dict[str, Any]:
        return {"path": "$.", "spelled": "text"}

    def edit(self, data: dict[str, Any]) -> Edit:
        return SetJson(self.key, data["path"], data["value"])


class RemovePath(_AtPath, Remove):
    do = "remove-path"
    edits = "json.delete"
    title = "Remove a part of the document"
    button = "Remove the part"

    def edit(self, data: dict[str, Any]) -> Edit:
        return DeleteJson(self.key, self.place, self.seen(data))


class VectorForm(EditForm):
    element = fields.BytesField(label="Element")
    vector = forms.CharField(
        max_length=100_000, label="Vector", help_text="Numbers with commas or spaces.",
        widget=forms.Textarea(attrs=fields.MONO | {"rows": 4}),
    )  # fmt: skip

    def clean_vector(self) -> tuple[float, ...]:
        try:
            return tuple(map(float, self.cleaned_data["vector"].replace(",", " ").split()))
        except ValueError as error:
            raise forms.ValidationError("These are not all numbers.") from error


class AddElement(Operation):
    do = "add-vector"
    edits = "vectorset.add"
    title = "Add an element"
    button = "Add the element"
    icon = "plus"
    noun = "element"
    done = "added"
    form_class = VectorForm

    def edit(self, data: dict[str, Any]) -> Edit:
        return AddVector(self.key, data["element"], data["vector"])


class RemoveElement(Remove):
    do = "remove-vector"
    edits = "vectorset.remove"
    what = "vectorset"
    which = noun = "element"
    title = "Remove an element"
    button = "Remove the element"

    def edit(self, data: dict[str, Any]) -> Edit:
        return RemoveVector(self.key, self.place, self.seen(data))


class SetAttributes(ValueOperation):
    do = "attributes"
    edits = "vectorset.attributes"
    what = "vectorset"
    which = noun = "element"
    title = "Edit an element's attributes"
    button = "Save the attributes"
    hint = "JSON, or nothing at all."

    def edit(self, data: dict[str, Any]) -> Edit:
        return SetVectorAttributes(self.key, self.place, data["value"], self.seen(data))
