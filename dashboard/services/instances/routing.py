"""Why an instance gets traffic or not, in words."""

from __future__ import annotations

import datetime

from dashboard.services import words
from dashboard.ui import numbers
from redisops.services.evidence import Evidence
from redisops.services.model import ROUTED, Instance, Terms


def shape(one: Instance, evidence: Evidence) -> str:
    """The state's shape for ``{% state %}``."""
    kind = "silent" if one.suspect else "flapping" if evidence.flaps else one.state
    return words.MARKS.get(kind, "unknown")


def word(one: Instance, evidence: Evidence) -> str:
    """The state's word."""
    if one.suspect:
        return words.told("silent")
    return f"Flapping, now {one.state}" if evidence.flaps else words.told(one.state)


def reason(one: Instance, evidence: Evidence, terms: Terms, *, last: str = "") -> str:
    """Why it gets no traffic; "" when it gets some. ``last`` is why it came into its state."""
    if one.is_routed:
        return ""
    cause = f" ({last})" if last else ""
    if one.suspect:
        return (
            "Its lease is over, and it is kept because too many stopped at once. It comes back "
            "with its next beat, and goes when a check fails."
        )
    if one.state in ROUTED:
        return "Its weight is 0: nobody picks it until it has another one."
    if one.state == "critical":
        need = terms.rise * (5 if evidence.turns >= 5.5 else 2 if evidence.flaps else 1)
        held = " It flaps, so that takes longer." if evidence.flaps else ""
        return f"Its check fails{cause}. It comes back after {need} good results in a row.{held}"
    if one.state == "starting":
        if one.check is None:
            return "It said that it is starting, and comes in when it says that it passes."
        return f"It is starting: its first {terms.rise} good checks in a row let it in."
    if one.state == "draining":
        return f"It is draining{cause}: it ends what it does and gets nothing new."
    if one.state == "maintenance":
        end = (
            "until somebody resumes it"
            if evidence.until is None
            else f"until {_clock(evidence.until)}"
        )
        return f"It is in maintenance {end}{cause}."
    return "Its state is none that gets traffic."


def _clock(at: float) -> str:
    moment = datetime.datetime.fromtimestamp(at, datetime.UTC)
    return numbers.clock(moment, datetime.datetime.now(datetime.UTC))


def weight_words(one: Instance) -> str:
    """How much of the traffic it gets, where that is not its weight."""
    if one.is_routed and one.state == "warning":
        return "half, while it warns"
    return ""
