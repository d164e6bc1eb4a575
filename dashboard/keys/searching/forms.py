"""What is looked for, and in which keys: what the page of the search reads from people."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from dashboard.keys.browsing.forms import TYPES, BytesField, DecoderField
from dashboard.keys.bulk.forms import FILTERS, filter_field, offer_filters
from dashboard.keys.searching.scope import Scope
from redisops import decoders, keys
from redisops.errors import InvalidArgument
from redisops.searching import GrammarError, Query, parse
from redisops.searching.grammar import LONGEST

MONO = {
    "class": "form-control mono", "autocomplete": "off", "autocapitalize": "off",
    "spellcheck": "false", "dir": "ltr",
}  # fmt: skip
CHOICE = {"class": "form-select"}
SCOPE = ("prefix", "match", "type", *FILTERS)


class SearchForm(forms.Form):
    """``scope`` and ``query`` are what it says once it is valid."""

    q = forms.CharField(
        required=False, max_length=LONGEST, strip=False,
        widget=forms.TextInput({**MONO, "placeholder": 'contains anna@example.org'}),
    )  # fmt: skip
    prefix = BytesField(widget=forms.TextInput(MONO))  # type: ignore[assignment]
    match = BytesField(widget=forms.TextInput({**MONO, "placeholder": "every key"}))
    type = forms.CharField(required=False, max_length=40, widget=forms.Select(CHOICE))
    ttl = filter_field("ttl")
    size = filter_field("size")
    idle = filter_field("idle")
    how = DecoderField(required=False, max_length=200, widget=forms.Select(CHOICE))

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        told = self.data.get("type", "") if self.is_bound else self.initial.get("type", "")
        types = [*TYPES, *({told} - {"", *TYPES})]
        self.fields["type"].widget.choices = [("", "All types"), *((name, name) for name in types)]
        self.fields["how"].widget.choices = decoders.names()
        offer_filters(self)
        self.query: Query | None = None

    @property
    def is_folder(self) -> bool:
        """Whether it is about a folder, whose name is no pattern."""
        return bool(self.data.get("prefix") if self.is_bound else self.initial.get("prefix"))

    @property
    def scope(self) -> Scope:
        """The keys; only those fields that broke no rule count."""
        data = self.cleaned_data
        return Scope(
            data.get("prefix") or b"", b"" if data.get("prefix") else data.get("match") or b"",
            data.get("type") or "", **{name: data.get(name) or "" for name in FILTERS},
        )  # fmt: skip

    def clean_match(self) -> bytes | None:
        match: bytes | None = self.cleaned_data["match"]
        try:
            return keys.pattern(match)
        except InvalidArgument as error:
            raise ValidationError(f"{error}.") from error

    def clean_type(self) -> str:
        told: str = self.cleaned_data["type"]
        if told and not all(letter.isalnum() or letter in "_.@-" for letter in told):
            raise ValidationError("A type is one word.")
        return told

    def clean_q(self) -> str:
        text: str = self.cleaned_data["q"]
        try:
            self.query = parse(text)
        except GrammarError as error:
            raise ValidationError(f"{error}") from error
        return text
