"""Players sign in to the game: sessions of the library, and two that an older shop left behind."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from collections import OrderedDict

from demo.names import PREFIX
from redisops.connection import AsyncClient
from redisops.sessions import AsyncSessions, Seal

# Nothing in these sessions is secret: the console knows this key as well (SESSION_KEYS).
KEY = hmac.new(b"shop", b"redisops.demo.sessions", hashlib.sha256).digest()
PEOPLE = ("mara", "jonas", "sofia", "liv", "emil", "noor", "anton", "ida", "theo", "vera",
          "karim", "elin", "matteo", "saga", "hugo", "alma")  # fmt: skip
AGENTS = ("Firefox 141 on Linux", "Safari 19 on iPhone", "Chrome 140 on Android",
          "Chrome 140 on Windows", "Firefox 141 on macOS")  # fmt: skip
MOST = 60
OLD = 2
"""Sessions of the older shop, on express: nobody gave them an expiry."""


class SignIns:
    """At most ``MOST`` sessions that this process goes on with; each person has three at most."""

    def __init__(self, redis: AsyncClient) -> None:
        self.redis = redis
        self.sessions = AsyncSessions(
            redis, Seal([KEY]), prefix=PREFIX, idle=15 * 60, absolute=4 * 3600, limit=3, events=True
        )
        self.known: OrderedDict[str, str] = OrderedDict()  # id: whose

    async def prepare(self) -> None:
        """Leave the old sessions where they always were. Two commands in one round trip."""
        pipe = self.redis.pipeline(transaction=False)
        for number in range(OLD):
            id = hashlib.sha256(b"an old session %d" % number).hexdigest()[:32]
            old = {"cookie": {"originalMaxAge": None, "expires": None, "path": "/"},
                   "user": PEOPLE[number], "ip": f"10.0.2.{number + 7}"}  # fmt: skip
            pipe.set(f"{PREFIX}sess:{id}", json.dumps(old), nx=True)
        await pipe.execute()

    async def visit(self) -> None:
        """Somebody signs in, plays on, or signs out. Two or three round trips."""
        if len(self.known) < MOST and random.random() < 0.3:
            who = random.choice(PEOPLE)
            address = f"10.0.{random.randrange(4)}.{random.randrange(2, 250)}"
            session = self.sessions.new(who, address=address, agent=random.choice(AGENTS))
            session.update(level=1, coins=20, locale=random.choice(("nb", "sv", "de", "en")))
            await self.sessions.save(session)
            self.known[session.id] = who
            return
        if not self.known:
            return
        id = random.choice(tuple(self.known))
        found = await self.sessions.load(id)
        if found is None:  # displaced, ended by somebody, or Redis came back empty
            del self.known[id]
        elif random.random() < 0.05:
            await self.sessions.delete(found)
            del self.known[id]
        else:
            found["coins"] += random.randrange(5)
            await self.sessions.save(found)
        await self.sessions.sweep()
