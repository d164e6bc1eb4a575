"""Edits of streams: their entries."""

from __future__ import annotations

from typing import Any

from django import forms

from dashboard.keys.editing import fields
from dashboard.keys.editing.operations.base import EditForm, Operation, Remove
from redisops import keys
from redisops.edits import AddEntry, DeleteEntry, Edit
from redisops.elements import Element


class EntryForm(EditForm):
    pairs = fields.PairsField(label="Fields")
    id = forms.CharField(
        max_length=50, initial="*", label="Id",
        help_text="* lets the server give the next one; ids only grow.",
        widget=forms.TextInput(attrs=fields.MONO),
    )  # fmt: skip


class AddToStream(Operation):
    do = "add-entry"
    edits = "stream.add"
    title = "Add an entry"
    button = "Add the entry"
    icon = "plus"
    noun = "entry"
    done = "added"
    hint = "Whoever reads the stream gets it at once."
    form_class = EntryForm

    def initial(self, element: Element) -> dict[str, Any]:
        return {"id": "*"}

    def edit(self, data: dict[str, Any]) -> Edit:
        return AddEntry(self.key, data["pairs"], data["id"])


class RemoveEntry(Remove):
    do = "remove-entry"
    edits = "stream.delete"
    what = "stream"
    which = "id"
    noun = "entry"
    title = "Delete an entry"
    button = "Delete the entry"
    done = "deleted"

    @property
    def place(self) -> str:
        id = self.told.get("id", "")[:60]
        DeleteEntry(self.key, id)  # raises InvalidArgument for what is no whole id
        return id

    def old_text(self, element: Element, spelled: str) -> str:
        rows = element.fields
        return "\n".join(f"{keys.printable(n)} = {keys.printable(v)}" for n, v in rows)

    def edit(self, data: dict[str, Any]) -> Edit:
        return DeleteEntry(self.key, self.place)
