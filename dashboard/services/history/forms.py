"""The filter of the journal: it lives in the address, so that a view can be sent as a link."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.utils.http import urlencode

from dashboard.services.history.models import Change
from redisops.services.model import BY_ITSELF

KINDS = {
    "trouble": ("Trouble", Q(state__in=["critical", "warning"]) | Q(suspect=True)
                | (Q(state="gone", why__in=BY_ITSELF)
                   & ~Q(from_state__in=["draining", "maintenance"]))),
    "recovery": ("Recovery", Q(state="passing") & ~Q(from_state__in=["none", "passing"])),
    "coming": ("Arrivals and departures", Q(from_state="none") | Q(state="gone")),
    "decided": ("Drained and maintained",
                Q(state__in=["draining", "maintenance"])
                | Q(from_state__in=["draining", "maintenance"])),
    "gaps": ("What is not known", Q(event=Change.GAP)),
}  # fmt: skip


class JournalForm(forms.Form):
    """All fields are optional; names are exact."""

    service = forms.CharField(label="Service", max_length=100, required=False)
    instance = forms.CharField(label="Instance", max_length=200, required=False)
    kind = forms.ChoiceField(
        label="What", required=False,
        choices=[("", "All changes"), *((name, words) for name, (words, _) in KINDS.items())],
    )  # fmt: skip
    q = forms.CharField(label="Cause", max_length=200, required=False)
    since = forms.DateTimeField(label="From (UTC)", required=False)
    until = forms.DateTimeField(label="To (UTC)", required=False)

    @property
    def is_filtering(self) -> bool:
        return self.is_valid() and any(self.cleaned_data.values())

    @property
    def query_string(self) -> str:
        """The filter as it stands in the address."""
        return urlencode({name: self.data[name] for name in self.fields if self.data.get(name)})

    def narrow(self, changes: QuerySet[Change]) -> QuerySet[Change]:
        """Those that match by names and times, which an index finds."""
        wanted: dict[str, Any] = self.cleaned_data
        exact = {
            "service": wanted["service"],
            "at__gte": wanted["since"],
            "at__lt": wanted["until"],
        }
        changes = changes.filter(**{name: value for name, value in exact.items() if value})
        if wanted["instance"]:
            changes = changes.filter(Q(instance=wanted["instance"]) | Q(event=Change.GAP))
        return changes

    @property
    def is_searching(self) -> bool:
        """Whether rows are looked through one by one."""
        return bool(self.cleaned_data["kind"] or self.cleaned_data["q"])

    def searched(self, changes: QuerySet[Change]) -> QuerySet[Change]:
        """Those that match by their kind and cause, which no index finds."""
        wanted: dict[str, Any] = self.cleaned_data
        if wanted["kind"]:
            changes = changes.filter(KINDS[wanted["kind"]][1])
        if wanted["q"]:
            changes = changes.filter(why__icontains=wanted["q"])
        return changes
