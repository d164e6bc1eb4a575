"""What is raised where a stopped server is asked for."""

from __future__ import annotations

import datetime

from redisops.errors import RedisopsError


class WorkStopped(RedisopsError):
    """Somebody stopped all console work on this server; nothing was sent.

    It is one of the library's errors so that whoever goes on without an answer of the server
    (the sampler, a page's extra) goes on without this one, too.

    ``since`` is None only for a row that says so without a time.
    """

    def __init__(self, server: str, by: str, since: datetime.datetime | None, why: str) -> None:
        when = f" since {since:%d %b %H:%M} UTC" if since else ""
        reason = f": {why}" if why else ""
        super().__init__(f"Console work on {server} is stopped by {by}{when}{reason}")
        self.server, self.by, self.since, self.why = server, by, since, why
