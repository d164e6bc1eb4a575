"""States of trouble: each brings a server into one."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Iterator
from functools import partial

import redis
import redis.exceptions

from tests.servers.process import RedisProcess, until


def full(server: RedisProcess) -> None:
    """Bring the server to maxmemory with noeviction: writes that need memory answer OOM."""
    with server.client() as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1mb")


@contextlib.contextmanager
def loading(server: RedisProcess, keys: int = 2000) -> Iterator[None]:
    """The server answers LOADING inside the block; its data is read with a pause at each key."""
    with server.client() as client:
        client.execute_command("DEBUG", "POPULATE", keys)
        client.config_set("key-load-delay", 2000)  # microseconds
        client.config_set("loading-process-events-interval-bytes", 1024)
    reload = threading.Thread(target=_reload, args=(server,), daemon=True)
    reload.start()
    with server.client(retry=None) as client:  # redis-py would wait out LOADING by itself
        until(lambda: _says(client, "GET", "x") == "LOADING", "the server did not start to load")
        try:
            yield
        finally:
            client.config_set("key-load-delay", 0)
            reload.join(20)


def _reload(server: RedisProcess) -> None:
    with server.client(socket_timeout=60) as client:
        client.execute_command("DEBUG", "RELOAD")


@contextlib.contextmanager
def busy(server: RedisProcess) -> Iterator[None]:
    """An endless script runs inside the block: everything but SCRIPT KILL answers BUSY."""
    with server.client() as client:
        client.config_set("busy-reply-threshold", 50)
    script = threading.Thread(target=_run_for_ever, args=(server,), daemon=True)
    script.start()
    with server.client() as client:
        until(lambda: _says(client, "GET", "x") == "BUSY", "the script did not become busy")
        try:
            yield
        finally:
            client.script_kill()
            script.join(10)


def _run_for_ever(server: RedisProcess) -> None:
    with (
        server.client(socket_timeout=60) as client,
        contextlib.suppress(redis.ResponseError),  # "Script killed by user"
    ):
        client.eval("while true do end", 0)


def unsaveable(server: RedisProcess) -> None:
    """Make the next snapshot fail, and it has failed: writes answer MISCONF."""
    with server.client() as client:
        client.config_set("save", "36000 1000000")
        shutil.rmtree(server.directory)
        until(partial(_has_failed_to_save, client), "the snapshot did not fail")


def _has_failed_to_save(client: redis.Redis) -> bool:
    told = client.info("persistence")
    if told["rdb_last_bgsave_status"] == "err":
        return True
    if not told["rdb_bgsave_in_progress"]:
        client.bgsave()
    return False


def saveable(server: RedisProcess) -> None:
    """Undo ``unsaveable``: the server takes writes again."""
    server.directory.mkdir(exist_ok=True)
    with server.client() as client:
        client.config_set("dir", str(server.directory))
        client.config_set("save", "")


def restricted(server: RedisProcess, *rules: str, user: str = "narrow") -> str:
    """A URL for an ACL user who may do no more than ``rules`` (``"~x:*", "+get"``)."""
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", user, "reset", "on", ">secret-42", *rules)
    return f"redis://{user}:secret-42@127.0.0.1:{server.port}/0"


def _says(client: redis.Redis, *command: str) -> str:
    """The first word of the error that the command is answered with; "" when there is none."""
    try:
        client.execute_command(*command)
    except redis.exceptions.BusyLoadingError:
        return "LOADING"
    except redis.ResponseError as error:
        return str(error).split(" ", 1)[0]
    return ""
