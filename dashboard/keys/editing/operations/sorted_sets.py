"""Edits of sorted sets: members, their scores, and places, which are scores too."""

from __future__ import annotations

from typing import Any

from django import forms

from dashboard.keys.editing import fields
from dashboard.keys.editing.operations.base import EditForm, Operation, Remove
from dashboard.keys.editing.operations.sets import MemberForm
from redisops.edits import Edit, RemoveScore, SetPlace, SetScore
from redisops.edits import score as read_score
from redisops.elements import Element


class ScoreForm(EditForm):
    score = fields.ScoreField(label="Score", help_text="A number, inf or -inf.")


class NewScoreForm(MemberForm, ScoreForm):
    field_order = ("member", "score")


class AddScore(Operation):
    do = "add-score"
    edits = "zset.score"
    title = "Add a member"
    button = "Add the member"
    icon = "plus"
    noun = "member"
    done = "added"
    form_class = NewScoreForm

    def edit(self, data: dict[str, Any]) -> Edit:
        return SetScore(self.key, data["member"], data["score"])


class _OfMember(Operation):
    what = "zset"
    which = noun = "member"

    def seen_text(self, element: Element) -> str:
        return element.data.decode() if element.data is not None else ""

    def seen_score(self, data: dict[str, Any]) -> float:
        return read_score(data.get("seen", ""))


class ChangeScore(_OfMember):
    do = "score"
    edits = "zset.score"
    title = "Change a score"
    button = "Save the score"
    reviews = True
    loses = True
    form_class = ScoreForm

    def initial(self, element: Element) -> dict[str, Any]:
        was = float(element.data or b"0")
        return super().initial(element) | {"score": was}

    def old_words(self, element: Element) -> str:
        return fields.score(float(element.data or b"0"))

    def new_words(self, data: dict[str, Any]) -> str:
        return fields.score(data["score"])

    def edit(self, data: dict[str, Any]) -> Edit:
        return SetScore(self.key, self.place, data["score"], self.seen_score(data))


class RemoveFromSorted(_OfMember, Remove):
    do = "remove-score"
    edits = "zset.remove"
    title = "Remove a member"
    button = "Remove the member"

    def edit(self, data: dict[str, Any]) -> Edit:
        return RemoveScore(self.key, self.place, self.seen_score(data))


class PlaceForm(EditForm):
    longitude = forms.FloatField(
        min_value=-180, max_value=180, label="Longitude",
        widget=forms.TextInput(attrs=fields.MONO | {"inputmode": "decimal"}),
    )  # fmt: skip
    latitude = forms.FloatField(
        min_value=-85.05112878, max_value=85.05112878, label="Latitude",
        widget=forms.TextInput(attrs=fields.MONO | {"inputmode": "decimal"}),
    )  # fmt: skip


class NewPlaceForm(MemberForm, PlaceForm):
    field_order = ("member", "longitude", "latitude")


class AddPlace(Operation):
    do = "add-place"
    edits = "geo.place"
    title = "Add a place"
    button = "Add the place"
    icon = "map-pin"
    noun = "member"
    done = "added"
    form_class = NewPlaceForm

    def edit(self, data: dict[str, Any]) -> Edit:
        return SetPlace(self.key, data["member"], data["longitude"], data["latitude"])


class MovePlace(_OfMember):
    do = "place"
    edits = "geo.place"
    title = "Move a place"
    button = "Move the place"
    icon = "map-pin"
    done = "moved"
    loses = True
    form_class = PlaceForm

    def initial(self, element: Element) -> dict[str, Any]:
        found = {name: self.told.get(name, "")[:40] for name in ("longitude", "latitude")}
        return super().initial(element) | found

    def new_words(self, data: dict[str, Any]) -> str:
        return f"{data['longitude']} {data['latitude']}"

    def edit(self, data: dict[str, Any]) -> Edit:
        return SetPlace(
            self.key, self.place, data["longitude"], data["latitude"], self.seen_score(data)
        )
