"""What can be wrong with a session, apart from Redis being away."""

from __future__ import annotations

from redisops.errors import RedisopsError


class SessionInvalid(RedisopsError):
    """A session's hash cannot be trusted: tampered with, or sealed with a key we do not have.

    Treat its bearer as a stranger. Deleting or replacing the hash is safe.
    """


class SessionGone(RedisopsError):
    """The session was revoked, or expired, between its load and this save; nothing was written."""


class TooManySessions(RedisopsError):
    """The principal has as many sessions as ``limit`` allows; the new one was not written."""


class FieldNotLoaded(RedisopsError, LookupError):
    """The session was loaded with ``fields=``, and this key is not among them.

    Not a KeyError: whether the session has such a key is not known.
    """
