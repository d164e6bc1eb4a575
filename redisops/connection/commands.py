"""Which commands only read, so that one may be sent again, and which ones wait on purpose.

The table is Redis 7's and Valkey 8's own flags and the modules' reading commands, so that
no round trip is needed to know; COMMAND's answer refines it for the server at hand. What
neither names counts as a write: it is never sent twice.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any

READING = frozenset(
    [
        "BITCOUNT",
        "BITFIELD_RO",
        "BITPOS",
        "DBSIZE",
        "DUMP",
        "ECHO",
        "EVALSHA_RO",
        "EVAL_RO",
        "EXISTS",
        "EXPIRETIME",
        "FCALL_RO",
        "GEODIST",
        "GEOHASH",
        "GEOPOS",
        "GEORADIUSBYMEMBER_RO",
        "GEORADIUS_RO",
        "GEOSEARCH",
        "GET",
        "GETBIT",
        "GETRANGE",
        "HEXISTS",
        "HEXPIRETIME",
        "HGET",
        "HGETALL",
        "HKEYS",
        "HLEN",
        "HMGET",
        "HPEXPIRETIME",
        "HPTTL",
        "HRANDFIELD",
        "HSCAN",
        "HSTRLEN",
        "HTTL",
        "HVALS",
        "INFO",
        "KEYS",
        "LASTSAVE",
        "LCS",
        "LINDEX",
        "LLEN",
        "LOLWUT",
        "LPOS",
        "LRANGE",
        "MGET",
        "PEXPIRETIME",
        "PFCOUNT",
        "PING",
        "PTTL",
        "RANDOMKEY",
        "ROLE",
        "SCAN",
        "SCARD",
        "SDIFF",
        "SINTER",
        "SINTERCARD",
        "SISMEMBER",
        "SMEMBERS",
        "SMISMEMBER",
        "SORT_RO",
        "SRANDMEMBER",
        "SSCAN",
        "STRLEN",
        "SUBSTR",
        "SUNION",
        "TIME",
        "TOUCH",
        "TTL",
        "TYPE",
        "VCARD",
        "VDIM",
        "VEMB",
        "VGETATTR",
        "VINFO",
        "VISMEMBER",
        "VLINKS",
        "VRANDMEMBER",
        "VRANGE",
        "VSIM",
        "XLEN",
        "XPENDING",
        "XRANGE",
        "XREAD",
        "XREVRANGE",
        "ZCARD",
        "ZCOUNT",
        "ZDIFF",
        "ZINTER",
        "ZINTERCARD",
        "ZLEXCOUNT",
        "ZMSCORE",
        "ZRANDMEMBER",
        "ZRANGE",
        "ZRANGEBYLEX",
        "ZRANGEBYSCORE",
        "ZRANK",
        "ZREVRANGE",
        "ZREVRANGEBYLEX",
        "ZREVRANGEBYSCORE",
        "ZREVRANK",
        "ZSCAN",
        "ZSCORE",
        "ZUNION",
        "BF.CARD",
        "BF.EXISTS",
        "BF.INFO",
        "BF.MEXISTS",
        "BF.SCANDUMP",
        "CF.COUNT",
        "CF.EXISTS",
        "CF.INFO",
        "CF.MEXISTS",
        "CMS.INFO",
        "CMS.QUERY",
        "JSON.ARRINDEX",
        "JSON.ARRLEN",
        "JSON.GET",
        "JSON.MGET",
        "JSON.OBJKEYS",
        "JSON.OBJLEN",
        "JSON.RESP",
        "JSON.STRLEN",
        "JSON.TYPE",
        "TDIGEST.INFO",
        "TDIGEST.QUANTILE",
        "TOPK.COUNT",
        "TOPK.INFO",
        "TOPK.LIST",
        "TOPK.QUERY",
        "TS.GET",
        "TS.INFO",
        "TS.MGET",
        "TS.MRANGE",
        "TS.QUERYINDEX",
        "TS.RANGE",
        "TS.REVRANGE",
        "FT.INFO",
        "FT.SEARCH",
        "FT._LIST",
    ]
)

READING_PARTS: dict[str, frozenset[str]] = {
    "ACL": frozenset(
        ["CAT", "DRYRUN", "GENPASS", "GETUSER", "HELP", "LIST", "LOG", "USERS", "WHOAMI"]
    ),
    "CLIENT": frozenset(["GETNAME", "GETREDIR", "HELP", "ID", "INFO", "LIST", "TRACKINGINFO"]),
    "CLUSTER": frozenset(
        [
            "COUNT-FAILURE-REPORTS",
            "COUNTKEYSINSLOT",
            "GETKEYSINSLOT",
            "HELP",
            "INFO",
            "KEYSLOT",
            "LINKS",
            "MYID",
            "MYSHARDID",
            "NODES",
            "REPLICAS",
            "SHARDS",
            "SLAVES",
            "SLOTS",
            "SLOT-STATS",
        ]
    ),
    "COMMAND": frozenset(["COUNT", "DOCS", "GETKEYS", "GETKEYSANDFLAGS", "HELP", "INFO", "LIST"]),
    "COMMANDLOG": frozenset(["GET", "HELP", "LEN"]),
    "CONFIG": frozenset(["GET", "HELP"]),
    "FUNCTION": frozenset(["DUMP", "HELP", "LIST", "STATS"]),
    "LATENCY": frozenset(["DOCTOR", "GRAPH", "HELP", "HISTOGRAM", "HISTORY", "LATEST"]),
    "MEMORY": frozenset(["DOCTOR", "HELP", "MALLOC-STATS", "STATS", "USAGE"]),
    "MODULE": frozenset(["HELP", "LIST"]),
    "OBJECT": frozenset(["ENCODING", "FREQ", "HELP", "IDLETIME", "REFCOUNT"]),
    "PUBSUB": frozenset(["CHANNELS", "HELP", "NUMPAT", "NUMSUB", "SHARDCHANNELS", "SHARDNUMSUB"]),
    "SCRIPT": frozenset(["EXISTS", "HELP", "SHOW"]),
    "SENTINEL": frozenset(
        [
            "CKQUORUM",
            "GET-MASTER-ADDR-BY-NAME",
            "HELP",
            "MASTER",
            "MASTERS",
            "REPLICAS",
            "SENTINELS",
            "SLAVES",
        ]
    ),
    "SLOWLOG": frozenset(["GET", "HELP", "LEN"]),
    "XINFO": frozenset(["CONSUMERS", "GROUPS", "HELP", "STREAM"]),
}

_LAST_IN_SECONDS = frozenset(["BLPOP", "BRPOP", "BRPOPLPUSH", "BLMOVE", "BZPOPMIN", "BZPOPMAX"])
_FIRST_IN_SECONDS = frozenset(["BLMPOP", "BZMPOP"])
_LAST_IN_MILLISECONDS = frozenset(["WAIT", "WAITAOF"])
_BLOCK_OPTION = frozenset(["XREAD", "XREADGROUP"])
WAITING = _LAST_IN_SECONDS | _FIRST_IN_SECONDS | _LAST_IN_MILLISECONDS | _BLOCK_OPTION


def word(part: Any) -> str:
    """One part of a command as upper-case text; "" for what is no text."""
    if isinstance(part, str):
        return part.upper()
    if isinstance(part, bytes | bytearray):
        return part.decode("latin-1").upper()
    return ""


def only_reads(args: Sequence[Any], also: frozenset[str] = frozenset()) -> bool:
    """Whether sending this command twice changes no more than sending it once.

    ``also`` are further commands that the server itself flags as readonly.
    """
    reads = _reads_by_name(args[0])
    if reads is not None:
        return reads or word(args[0]) in also
    if len(args) == 1:
        return word(args[0]) == "COMMAND"
    return word(args[1]) in READING_PARTS[word(args[0])]


@functools.lru_cache(maxsize=1024)
def _reads_by_name(command: Any) -> bool | None:
    """Whether it reads, as far as its first part tells; None when the second part decides."""
    name = word(command)
    if name in READING:
        return True
    first, _, rest = name.partition(" ")
    parts = READING_PARTS.get(first)
    if parts is None:
        return first in READING  # "XREAD COUNT": a command and its first argument in one string
    return rest in parts if rest else None


@functools.lru_cache(maxsize=1024)
def may_wait(command: Any) -> bool:
    """Whether the command of this name can block."""
    return word(command).partition(" ")[0] in WAITING


def all_read(commands: Iterable[Sequence[Any]], also: frozenset[str] = frozenset()) -> bool:
    """Whether a pipeline may be sent again: one write in it makes it a write."""
    return all(only_reads(args, also) for args in commands)


def waits_for(args: Sequence[Any]) -> float | None:
    """Seconds that a command may block by its own argument; 0.0: for ever, None: it does not."""
    name, _, rest = word(args[0]).partition(" ")
    if name not in WAITING:
        return None
    if rest:
        args = (name, *rest.split(), *args[1:])
    try:
        if name in _LAST_IN_SECONDS:
            return float(args[-1])
        if name in _FIRST_IN_SECONDS:
            return float(args[1])
        if name in _LAST_IN_MILLISECONDS:
            return float(args[-1]) / 1000
        for at, part in enumerate(args[:-1]):
            option = word(part)
            if option == "BLOCK":
                return float(args[at + 1]) / 1000
            if option == "STREAMS":
                break
    except (TypeError, ValueError):
        return None  # the server will say what is wrong with it
    return None
