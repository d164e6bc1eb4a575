"""Edits of sets."""

from __future__ import annotations

from typing import Any

from dashboard.keys.editing import fields
from dashboard.keys.editing.operations.base import EditForm, Operation, Remove
from redisops.edits import AddMember, Edit, RemoveMember


class MemberForm(EditForm):
    member = fields.BytesField(label="Member")


class AddToSet(Operation):
    do = "add-member"
    edits = "set.add"
    title = "Add a member"
    button = "Add the member"
    icon = "plus"
    noun = "member"
    done = "added"
    form_class = MemberForm

    def edit(self, data: dict[str, Any]) -> Edit:
        return AddMember(self.key, data["member"])


class RemoveFromSet(Remove):
    do = "remove-member"
    edits = "set.remove"
    what = "set"
    which = noun = "member"
    title = "Remove a member"
    button = "Remove the member"

    def edit(self, data: dict[str, Any]) -> Edit:
        return RemoveMember(self.key, self.place)
