"""The bounded pool of blocking connections."""

# The overridden methods call redis-py's untyped internals.
# mypy: allow-untyped-calls

from __future__ import annotations

import threading
import time
from typing import Any

import redis
from redis.connection import Connection
from redis.exceptions import MaxConnectionsError

from redisops.connection.call import at_most


class Pool(redis.ConnectionPool):
    """At most ``max_connections`` links; whoever finds none free waits, no longer than is left."""

    patience = 1.0
    """Seconds that a caller waits for a free link at most."""

    def reset(self) -> None:
        """Forget all links (after a fork)."""
        self._freed = threading.Condition(self._lock)
        self._waiting = 0
        super().reset()

    def get_connection(self, command_name: Any = None, *keys: Any, **options: Any) -> Any:
        """A connected link that nobody else uses, checked for a peer that hung up meanwhile."""
        self._checkpid()
        with self._lock:
            link = self._take() or self._wait_for_one()
            self._in_use_connections.add(link)
        try:
            if link.is_connected and self._is_stale(link):
                link.disconnect()
            link.connect()
        except BaseException:
            link.disconnect()
            self.release(link)
            raise
        return link

    def _take(self) -> Any:
        if self._available_connections:
            return self._available_connections.pop()
        if len(self._in_use_connections) < self.max_connections:
            return self.connection_class(**self.connection_kwargs)
        return None

    def _wait_for_one(self) -> Any:
        limit = at_most(self.patience)
        end = time.monotonic() + (self.patience if limit is None else limit)
        self._waiting += 1
        try:
            while True:
                freed = self._freed.wait(end - time.monotonic())
                link = self._take()
                if link is not None:
                    return link
                if not freed or time.monotonic() >= end:
                    raise MaxConnectionsError(
                        f"all {self.max_connections} connections of this pool stayed in use"
                    )
        finally:
            self._waiting -= 1

    @staticmethod
    def _is_stale(link: Connection) -> bool:
        try:
            return bool(link.can_read())  # unread bytes: somebody else's reply
        except (redis.RedisError, OSError):
            return True  # hung up

    def release(self, connection: Any) -> None:
        """Take a link back. One that is not ours any more (after a fork) is left alone."""
        self._checkpid()
        with self._lock:
            if connection not in self._in_use_connections:
                return
            self._in_use_connections.discard(connection)
            if not self.owns_connection(connection):
                connection.disconnect()  # a link to the primary of before
            else:
                if connection.should_reconnect():
                    connection.disconnect()
                self._available_connections.append(connection)
            if self._waiting:
                self._freed.notify()
