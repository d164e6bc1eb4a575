"""What the page of a bulk job is told beside its counts."""

from __future__ import annotations

from typing import Any

from django import template

from dashboard.jobs.models import Job
from dashboard.keys.bulk import outcome

register = template.Library()


@register.simple_tag
def outcome_of(job: Job) -> dict[str, Any]:
    """``{% outcome_of job as panel %}``: see ``outcome.panel``."""
    return outcome.panel(job)
