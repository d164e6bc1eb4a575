"""Saving a view: a name for an address."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict

from dashboard.keys.browsing.state import BadAddress, Browse


class ViewForm(forms.Form):
    name = forms.CharField(max_length=80, label="Name")
    query = forms.CharField(max_length=12_000, required=False, strip=False)

    def __init__(self, slug: str, data: Any = None) -> None:
        super().__init__(data)
        self.slug = slug

    def clean_query(self) -> str:
        """The address as the browser itself would write it, from its start."""
        try:
            browse = Browse.of(self.slug, QueryDict(self.cleaned_data["query"]))
        except (BadAddress, ValueError) as error:
            raise forms.ValidationError(f"This view cannot be followed: {error}") from error
        return browse.query(cursor="", tree="")
