"""What an action asks: a reason, for some a value, and on production its name."""

from __future__ import annotations

from typing import Any

from django import forms

from dashboard.servers.models import Server

TEXT = {"class": "form-control", "autocomplete": "off"}
LONGEST_HOURS = 24 * 30


class ActForm(forms.Form):
    """``seen`` is the fence of the process that the person saw: another one is asked about anew."""

    reason = forms.CharField(
        label="Why", required=False, max_length=200, widget=forms.TextInput(attrs=TEXT)
    )
    confirm = forms.CharField(required=False, max_length=200, widget=forms.TextInput(attrs=TEXT))
    seen = forms.CharField(required=False, max_length=20, widget=forms.HiddenInput)
    needs_reason = False

    def __init__(self, server: Server, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.server = server

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        reason = " ".join(str(data.get("reason", "")).split())
        data["reason"] = "".join(c for c in reason if c.isprintable())
        if (self.needs_reason or self.server.is_production) and not data["reason"]:
            self.add_error("reason", "Say why: it is shown to everybody who looks.")
        if self.server.is_production and data.get("confirm", "").strip() != self.server.name:
            self.add_error("confirm", f"Type {self.server.name} to change production.")
        return data


class MaintainForm(ActForm):
    """``minutes`` until it comes back by itself; 0 for not by itself."""

    minutes = forms.IntegerField(
        label="For", min_value=0, max_value=LONGEST_HOURS * 60, initial=60,
        widget=forms.NumberInput(attrs={**TEXT, "inputmode": "numeric"}),
    )  # fmt: skip
    needs_reason = True


class WeightForm(ActForm):
    """Empty for the weight that the instance gives itself."""

    weight = forms.IntegerField(
        label="Weight", required=False, min_value=0, max_value=65_535,
        widget=forms.NumberInput(attrs={**TEXT, "inputmode": "numeric"}),
    )  # fmt: skip
