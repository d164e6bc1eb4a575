"""The prefix belongs to the demo only when the demo wrote it: never touch somebody's own shop."""

from __future__ import annotations

from demo.names import MARKER, PREFIX
from redisops.connection import AsyncClient
from redisops.errors import RedisopsError

WORDS = "Written by the Redisops demo; `manage.py demo --remove` removes all of it."


class Occupied(RedisopsError):
    """There are keys below the prefix that the demo did not write."""


class Claim:
    """The demo's hold on its prefix in one process; its services share it."""

    def __init__(self) -> None:
        self._ours = False

    async def renew(self, redis: AsyncClient) -> None:
        """Mark the prefix as the demo's. One command, the first time a walk over the key names.

        Raises Occupied when something else lives there. Once it is ours it stays so: a Redis
        that came back empty is only marked again.
        """
        if not self._ours and not await redis.exists(MARKER):
            async for key in redis.scan_iter(match=PREFIX + "*", count=1_000):
                if self._ours:  # another service was faster, and this is its key
                    break
                raise Occupied(
                    f"The demo keeps away: {key!r} and the rest below {PREFIX} is not its own."
                )
        self._ours = True
        await redis.set(MARKER, WORDS)
