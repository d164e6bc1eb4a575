"""Tell open sockets at once when rights change: a hint, sent from a thread that nobody waits for.

The request that changed the right is done whether home hears the hint or not; where it is lost,
the guard's own timer finds the change within ten seconds.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from django.db import transaction
from django.db.models.signals import m2m_changed, post_delete, post_save

from dashboard.accounts.models import Team, User
from dashboard.servers.live import guard
from dashboard.servers.models import Grant, Server

log = structlog.get_logger(__name__)
SECONDS = 1.5
_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="announcing")


def connect() -> None:
    """Listen to what people decide about rights; called once the models are there."""
    for model in (Grant, Server):
        post_save.connect(_changed, sender=model, dispatch_uid=f"announce {model.__name__} save")
        post_delete.connect(_changed, sender=model, dispatch_uid=f"announce {model.__name__} gone")
    post_save.connect(_changed, sender=User, dispatch_uid="announce User save")
    m2m_changed.connect(_changed, dispatch_uid="announce members")


def _changed(sender: Any, **details: Any) -> None:
    if sender is User and details.get("update_fields") == frozenset({"last_login"}):
        return
    if "action" in details and details.get("model") not in (User, Team):
        return
    transaction.on_commit(announce)


def announce() -> None:
    """Send the hint soon; never waits, never fails."""
    if _thread._work_queue.qsize() < 2:  # one more says the same
        _thread.submit(_send)


def _send() -> None:
    try:
        asyncio.run(asyncio.wait_for(guard.announce(), SECONDS))
    except Exception as error:
        log.info("a change of rights was not announced", error=repr(error))
