"""What to try: the draft's numbers and the traffic. State lives in the query string."""

from __future__ import annotations

import dataclasses
from typing import Any

from django import forms

from dashboard.limits.policies.forms import GROUPED, PERIOD, SECONDS, WAYS, said_period
from dashboard.limits.trying import traffic
from redisops.errors import InvalidArgument
from redisops.limits.model import BUCKETS
from redisops.limits.policies import Policy, problems

SHAPES = [
    ("steady", "Steady"),
    ("bursts", "Bursts"),
    ("ramp", "Ramp"),
    ("replay", "Last hour"),
]
DRAFT = ("algorithm", "limit", "period", "burst", "cost")


class PeriodField(forms.CharField):
    """Seconds, written as people do: 60, 60 s, 500 ms, 5 min, 1 h."""

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        found = PERIOD.fullmatch(text)
        unit = found[2].lower() if found else ""
        unit = unit if unit in SECONDS else unit.removesuffix("s") or "s"
        if not found or not found[1] or unit not in SECONDS:
            raise forms.ValidationError(
                f'"{text[:40]}" is no length of time, such as 60 s or 5 min.'
            )
        return float(GROUPED.sub("", found[1])) * SECONDS[unit]


class TryForm(forms.Form):
    """The draft's numbers first, then the traffic. Of the draft what is not given is as live."""

    algorithm = forms.ChoiceField(
        label="Way of counting", choices=list(WAYS.items()), required=False
    )
    limit = forms.IntegerField(label="Requests", min_value=1, required=False)
    period = PeriodField(label="Per", max_length=40, required=False)
    burst = forms.IntegerField(label="Burst", min_value=1, required=False)
    cost = forms.IntegerField(label="Each request takes", min_value=1, required=False)
    together = forms.CharField(widget=forms.HiddenInput, max_length=1, required=False)
    shape = forms.ChoiceField(label="Traffic", choices=SHAPES, required=False)
    rate = forms.FloatField(
        label="Requests a second", min_value=0, max_value=100_000, required=False
    )
    peak = forms.FloatField(label="At the peak", min_value=0, max_value=100_000, required=False)
    seconds = forms.IntegerField(label="Seconds", min_value=1, max_value=3600, required=False)
    callers = forms.IntegerField(label="Callers", min_value=1, max_value=1000, required=False)
    skew = forms.FloatField(label="Skew", min_value=0, max_value=3, required=False)
    takes = forms.FloatField(
        label="A request lasts, ms", min_value=1, max_value=600_000, required=False
    )

    def __init__(self, data: Any, policy: Policy) -> None:
        self.policy = policy
        super().__init__(_filled(data, policy))
        for name, field in self.fields.items():
            kind = "form-select" if isinstance(field, forms.ChoiceField) else "form-control"
            field.widget.attrs |= {"class": kind, "id": f"try-{name}"}
            field.widget.attrs |= {"aria-invalid": "true"} if name in self.errors else {}

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        if self.errors:
            return found
        self.draft = self._draft(found)
        try:
            self.draft.as_limit()
        except InvalidArgument as error:
            raise forms.ValidationError(_sentence(str(error))) from error
        for problem in problems(self.draft):
            self.add_error(problem.field if problem.field in DRAFT else None, problem.sentence)
        return found

    def _draft(self, found: dict[str, Any]) -> Policy:
        bursting = found["algorithm"] in BUCKETS
        changed = {name: found[name] for name in DRAFT if found[name] is not None} | {
            "burst": found["burst"] if bursting else None,
            "shares": self.policy.shares if found["algorithm"] == "concurrency" else (),
        }
        if found["together"] == "1":
            changed["subject"] = ("global",)
        elif found["together"] == "0" and self.policy.subject == ("global",):
            changed["subject"] = ("ip",)  # one by one, whatever they are told apart by
        return dataclasses.replace(self.policy, **changed)

    def made(self) -> traffic.Traffic:
        """The traffic, for all shapes but a replay."""
        told = self.cleaned_data
        rate, peak, seconds = told["rate"], told["peak"], told["seconds"]
        if told["shape"] == "bursts":
            counts = traffic.bursts(rate, peak, seconds)
        elif told["shape"] == "ramp":
            counts = traffic.ramp(rate, peak, seconds)
        else:
            counts = traffic.steady(rate, seconds)
        return traffic.Traffic(counts, traffic.callers(told["callers"], told["skew"]))


def _filled(data: Any, policy: Policy) -> dict[str, Any]:
    """What was given, and for the rest the policy's numbers and traffic that is worth a look."""
    period = max(_number(data, "period", policy.period), 1.0)
    usual = _number(data, "limit", policy.limit) / period / max(policy.cost, 1)
    told: dict[str, Any] = {
        "algorithm": policy.algorithm, "limit": policy.limit, "period": said_period(policy.period),
        "burst": "" if policy.burst is None else policy.burst, "cost": policy.cost,
        "together": "", "shape": "bursts", "rate": _rounded(max(usual * 2, 0.1)),
        "peak": _rounded(max(usual * 10, 1)),
        "seconds": min(max(round(period * 5), 180), 1800), "callers": 5, "skew": 1, "takes": 200,
    }  # fmt: skip
    if "shape" in data or "limit" in data:
        # A field that was emptied is empty; one that the form before did not have is as usual.
        given = {name: data[name] for name in told if name in data}
        empty = {name for name, text in given.items() if not str(text).strip()} - {"burst"}
        return told | {name: text for name, text in given.items() if name not in empty}
    return told


def _rounded(value: float) -> str:
    """To three digits, in figures: 1000, never 1e+03."""
    return f"{float(f'{value:.3g}'):.12g}"


def _number(data: Any, name: str, otherwise: float) -> float:
    """What the draft says, so that its usual traffic fits it and not what is live."""
    try:
        told = TryForm.base_fields[name].clean(data.get(name) or "")
    except forms.ValidationError:
        return otherwise
    return float(told or otherwise)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"
