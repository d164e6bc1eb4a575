"""How to find out what became of a write whose answer was lost."""

from __future__ import annotations

from collections.abc import Sequence

from redisops.commands.line import join
from redisops.commands.policy import Verdict
from redisops.commands.table import Command

_EXPIRIES = frozenset(
    ["expire", "pexpire", "expireat", "pexpireat", "persist", "getex", "setex", "psetex"]
)
_BY_CATEGORY = (
    ("string", b"STRLEN"), ("hash", b"HLEN"), ("list", b"LLEN"), ("set", b"SCARD"),
    ("sortedset", b"ZCARD"), ("geo", b"ZCARD"), ("stream", b"XLEN"), ("hyperloglog", b"PFCOUNT"),
    ("bitmap", b"STRLEN"),
)  # fmt: skip
_KEYLESS = {
    "config|set": "CONFIG GET", "flushall": "DBSIZE", "flushdb": "DBSIZE", "swapdb": "DBSIZE",
    "bgsave": "INFO persistence", "bgrewriteaof": "INFO persistence",
    "replicaof": "INFO replication", "slaveof": "INFO replication", "failover": "ROLE",
    "script|flush": "INFO memory", "function|load": "FUNCTION LIST", "acl|setuser": "ACL LIST",
    "acl|deluser": "ACL LIST", "client|kill": "CLIENT LIST", "eval": "SCRIPT KILL",
    "evalsha": "SCRIPT KILL", "fcall": "FUNCTION KILL", "publish": "PUBSUB NUMSUB",
}  # fmt: skip


def check_of(command: Command | None, args: Sequence[bytes], verdict: Verdict) -> str:
    """One line to run: its answer tells whether ``args`` took effect. "" when nothing would."""
    if command is None:
        return ""
    if not verdict.keys or command.name in _KEYLESS:
        line = _KEYLESS.get(command.name, "")
        if command.name == "config|set" and len(args) > 2:
            return join([b"CONFIG", b"GET", args[2]])
        return line
    key = verdict.keys[0]
    if command.name in _EXPIRIES:
        return join([b"PTTL", key])
    if command.name in ("set", "setnx", "getset", "append", "incr", "incrby", "decr", "decrby",
                        "incrbyfloat", "mset", "setrange"):  # fmt: skip
        return join([b"GET", key])
    if command.name in ("hset", "hsetnx", "hmset", "hincrby", "hincrbyfloat", "hdel"):
        return join([b"HMGET", key, *args[2:3]])
    if command.name in ("zadd", "zincrby", "zrem") and len(args) > 2:
        return join([b"ZSCORE", key, args[-1]])
    if command.name in ("sadd", "srem", "smove"):
        return join([b"SISMEMBER", key, args[-1]])
    for category, ask in _BY_CATEGORY:
        if category in command.categories:
            return join([ask, key])
    return join([b"EXISTS", *verdict.keys[:10]])
