"""The filter of the audit page: it lives in the address, so that a view can be sent as a link."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.http import urlencode

from dashboard.audit import actions
from dashboard.audit.models import Entry, Result


class FilterForm(forms.Form):
    q = forms.CharField(label="Target or reason", max_length=200, required=False)
    who = forms.CharField(label="Who", max_length=150, required=False)
    server = forms.CharField(label="Server", max_length=60, required=False)
    action = forms.CharField(label="Action", max_length=100, required=False)
    result = forms.ChoiceField(
        label="Result", required=False, choices=[("", "Any result"), *Result.choices]
    )
    since = forms.DateTimeField(label="From (UTC)", required=False)
    until = forms.DateTimeField(label="To (UTC)", required=False)

    @property
    def is_filtering(self) -> bool:
        return any(self.cleaned_data.values())

    @property
    def query_string(self) -> str:
        """The filter as it stands in the address."""
        return urlencode({name: self.data[name] for name in self.fields if self.data.get(name)})

    def narrow(self, entries: QuerySet[Entry]) -> QuerySet[Entry]:
        """The entries that match. An intention whose outcome is there is told by the outcome."""
        wanted: dict[str, Any] = self.cleaned_data
        told = Exists(Entry.objects.filter(intent=OuterRef("number")))
        entries = entries.exclude(Q(result=Result.INTENT) & Q(told))
        exact = {
            "actor": wanted["who"],
            "server": wanted["server"],
            "result": wanted["result"],
            "at__gte": wanted["since"],
            "at__lt": wanted["until"],
        }
        entries = entries.filter(**{name: value for name, value in exact.items() if value})
        if wanted["action"]:
            part = wanted["action"]
            named = Q(action__icontains=part) | Q(action__in=actions.called(part))
            entries = entries.filter(named)
        if wanted["q"]:
            found = Q(target__icontains=wanted["q"]) | Q(reason__icontains=wanted["q"])
            entries = entries.filter(found)
        return entries
