"""Who a signed-in person is, also for a minute without a database."""

from __future__ import annotations

import copy
import time

from django.contrib.auth.backends import ModelBackend
from django.db import InterfaceError, OperationalError

from dashboard.accounts.models import User

REMEMBERED_SECONDS = 60.0
_remembered: dict[int, tuple[User, float]] = {}


class Backend(ModelBackend):
    """Django's own, which remembers people for 60 s in case SQL does not answer.

    Revocation does not depend on this: the session engine checks its marks at each load.
    """

    def get_user(self, user_id: int) -> User | None:
        try:
            user: User | None = super().get_user(user_id)
        except (OperationalError, InterfaceError):
            user, seen = _remembered.get(int(user_id), (None, 0.0))
            if user is None or time.monotonic() - seen > REMEMBERED_SECONDS:
                raise
            return copy.copy(user)
        if user is None:
            _remembered.pop(int(user_id), None)
            return None
        if len(_remembered) > 10_000:
            _remembered.clear()
        _remembered[int(user_id)] = (copy.copy(user), time.monotonic())
        return user
