"""Sessions of signed-in people: encrypted hashes that can be listed and revoked.

>>> sessions = Sessions(redis, Seal([key]))
>>> session = sessions.new("mara", address="10.0.0.7")
>>> session["cart"] = ["KB-87"]
>>> sessions.save(session)          # one round trip
>>> sessions.load(session.id)       # one round trip, idle expiry pushed along
>>> sessions.of("mara")             # every session of hers
>>> sessions.revoke_all("mara")     # and their end
"""

from redisops.sessions.browsing import AsyncSessionBrowser, SessionBrowser
from redisops.sessions.ends import SessionEnd
from redisops.sessions.errors import (
    FieldNotLoaded,
    SessionGone,
    SessionInvalid,
    TooManySessions,
)
from redisops.sessions.seal import Seal
from redisops.sessions.session import Session, SessionInfo, handle_of
from redisops.sessions.store import AsyncSessions, Sessions

__all__ = [
    "AsyncSessionBrowser",
    "AsyncSessions",
    "FieldNotLoaded",
    "Seal",
    "Session",
    "SessionBrowser",
    "SessionEnd",
    "SessionGone",
    "SessionInfo",
    "SessionInvalid",
    "Sessions",
    "TooManySessions",
    "handle_of",
]
