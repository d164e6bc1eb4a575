"""What jobs tell the apps below them once all models are there."""

from __future__ import annotations

from typing import Any

from dashboard.accounts.roles import Role
from dashboard.audit import Words, register
from dashboard.jobs import marks
from dashboard.servers import access
from dashboard.ui import navigation


def connect() -> None:
    """Permissions, the words of the audit, and the page of the side with its mark."""
    register({
        "jobs.pause": Words("Paused {target}", "pause a job", "paused"),
        "jobs.resume": Words("Resumed {target}", "resume a job", "resumed"),
        "jobs.cancel": Words("Cancelled {target}", "cancel a job", "cancelled"),
    })  # fmt: skip
    access.register("jobs.view", Role.VIEWER, "see the jobs on this server")
    access.register("jobs.control", Role.OPERATOR, "pause, resume or cancel a job")
    navigation.register(
        group="Operate", label="Jobs", icon="list-checks", url_name="jobs:index",
        permission="jobs.view", order=20, per_server=True, letter="j", mark=_mark,
    )  # fmt: skip


def _mark(server: Any) -> str:
    return marks.of(server)
