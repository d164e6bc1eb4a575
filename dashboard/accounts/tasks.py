"""What is tidied up behind people."""

from __future__ import annotations

import structlog
from celery import shared_task

from dashboard.accounts import throttle
from dashboard.accounts.sessions import SessionStore

log = structlog.get_logger(__name__)


@shared_task(name="accounts.tidy")  # type: ignore[untyped-decorator]
def tidy() -> None:
    """Remove expired sessions and the tries that no limit counts any more."""
    sessions, tries = SessionStore.remove_expired(), throttle.forget_old()
    if sessions or tries:
        log.info("accounts.tidied", sessions=sessions, sign_in_attempts=tries)
