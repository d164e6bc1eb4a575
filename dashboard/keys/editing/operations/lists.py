"""Edits of lists: at their ends, and of the element at an index."""

from __future__ import annotations

from typing import Any

from django import forms

from dashboard.keys.editing.operations.base import Operation, Remove, TypedForm, ValueOperation
from redisops.edits import Edit, InsertElement, PushElement, RemoveElement, SetElement
from redisops.elements import Element
from redisops.errors import InvalidArgument


class PushForm(TypedForm):
    end = forms.ChoiceField(
        choices=[("tail", "At the tail"), ("head", "At the head")], label="Where",
        widget=forms.Select(attrs={"class": "form-select"}),
    )  # fmt: skip


class Push(Operation):
    do = "push"
    edits = "list.push"
    title = "Add an element"
    button = "Add the element"
    icon = "plus"
    noun = "element"
    done = "added"
    form_class = PushForm

    def initial(self, element: Element) -> dict[str, Any]:
        return {"spelled": "text"}

    def edit(self, data: dict[str, Any]) -> Edit:
        return PushElement(self.key, data["value"], data["end"])


class _AtIndex(Operation):
    what = "list"
    which = "index"
    noun = "element"

    @property
    def place(self) -> int:
        text = self.told.get("index", "")
        if not (text.removeprefix("-").isdecimal() and len(text) < 16):
            raise InvalidArgument(f"{text[:40]!r} is no index of a list")
        return int(text)


class SetListElement(_AtIndex, ValueOperation):
    do = "element"
    edits = "list.set"
    title = "Edit an element"
    button = "Save the element"

    def edit(self, data: dict[str, Any]) -> Edit:
        return SetElement(self.key, self.place, data["value"], self.seen(data))


class Insert(_AtIndex):
    do = "insert"
    edits = "list.insert"
    title = "Insert an element before this one"
    button = "Insert the element"
    icon = "plus"
    done = "inserted"
    form_class = TypedForm

    def initial(self, element: Element) -> dict[str, Any]:
        return super().initial(element) | {"spelled": "text"}

    def edit(self, data: dict[str, Any]) -> Edit:
        return InsertElement(self.key, self.place, data["value"], self.seen(data))


class RemoveListElement(_AtIndex, Remove):
    do = "remove-element"
    edits = "list.remove"
    title = "Remove an element"
    button = "Remove the element"

    def edit(self, data: dict[str, Any]) -> Edit:
        return RemoveElement(self.key, self.place, self.seen(data))
