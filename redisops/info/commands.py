"""Which commands read and which write, to split a rate: from COMMAND of Redis 8 and Valkey 8.

Kept as a table because commandstats has no flags and COMMAND would cost 200 KB per look. A
command that is in neither (PING, MULTI, PUBLISH, a module's) counts as neither.
"""

from __future__ import annotations

WRITES = frozenset(
    {
        "append", "bitfield", "bitop", "blmove", "blmpop", "blpop", "brpop", "brpoplpush",
        "bzmpop", "bzpopmax", "bzpopmin", "copy", "decr", "decrby", "del", "delex", "delifeq",
        "expire", "expireat", "flushall", "flushdb", "function|delete", "function|flush",
        "function|load", "function|restore", "geoadd", "georadius", "georadiusbymember",
        "geosearchstore", "getdel", "getex", "getset", "hdel", "hexpire", "hexpireat", "hgetdel",
        "hgetex", "hincrby", "hincrbyfloat", "hmset", "hpersist", "hpexpire", "hpexpireat",
        "hset", "hsetex", "hsetnx", "incr", "incrby", "incrbyfloat", "linsert", "lmove", "lmpop",
        "lpop", "lpush", "lpushx", "lrem", "lset", "ltrim", "migrate", "move", "mset", "msetex",
        "msetnx", "persist", "pexpire", "pexpireat", "pfadd", "pfmerge", "psetex", "rename",
        "renamenx", "restore", "rpop", "rpoplpush", "rpush", "rpushx", "sadd", "sdiffstore",
        "set", "setbit", "setex", "setnx", "setrange", "sinterstore", "smove", "sort", "spop",
        "srem", "sunionstore", "swapdb", "unlink", "vadd", "vrem", "vsetattr", "xack", "xackdel",
        "xadd", "xautoclaim", "xclaim", "xdel", "xdelex", "xgroup|create",
        "xgroup|createconsumer", "xgroup|delconsumer", "xgroup|destroy", "xgroup|setid",
        "xreadgroup", "xsetid", "xtrim", "zadd", "zdiffstore", "zincrby", "zinterstore", "zmpop",
        "zpopmax", "zpopmin", "zrangestore", "zrem", "zremrangebylex", "zremrangebyrank",
        "zremrangebyscore", "zunionstore", "json.set", "json.mset", "json.del", "json.forget",
        "json.merge", "json.numincrby", "json.nummultby", "json.strappend", "json.arrappend",
        "json.arrinsert", "json.arrpop", "json.arrtrim", "json.clear", "json.toggle",
    }
)  # fmt: skip
READS = frozenset(
    {
        "bitcount", "bitfield_ro", "bitpos", "dbsize", "digest", "dump", "eval_ro", "evalsha_ro",
        "exists", "expiretime", "fcall_ro", "geodist", "geohash", "geopos", "georadius_ro",
        "georadiusbymember_ro", "geosearch", "get", "getbit", "getrange", "hexists",
        "hexpiretime", "hget", "hgetall", "hkeys", "hlen", "hmget", "hpexpiretime", "hpttl",
        "hrandfield", "hscan", "hstrlen", "httl", "hvals", "keys", "lcs", "lindex", "llen",
        "lpos", "lrange", "memory|usage", "mget", "object|encoding", "object|freq",
        "object|idletime", "object|refcount", "pexpiretime", "pfcount", "pttl", "randomkey",
        "scan", "scard", "sdiff", "sinter", "sintercard", "sismember", "smembers", "smismember",
        "sort_ro", "srandmember", "sscan", "strlen", "substr", "sunion", "touch", "ttl", "type",
        "vcard", "vdim", "vemb", "vgetattr", "vinfo", "vlinks", "vrandmember", "vsim",
        "xinfo|consumers", "xinfo|groups", "xinfo|stream", "xlen", "xpending", "xrange", "xread",
        "xrevrange", "zcard", "zcount", "zdiff", "zinter", "zintercard", "zlexcount", "zmscore",
        "zrandmember", "zrange", "zrangebylex", "zrangebyscore", "zrank", "zrevrange",
        "zrevrangebylex", "zrevrangebyscore", "zrevrank", "zscan", "zscore", "zunion", "json.get",
        "json.mget", "json.type", "json.strlen", "json.arrlen", "json.arrindex", "json.objkeys",
        "json.objlen", "json.resp", "json.debug", "ft.search", "ft.aggregate", "ft.info",
    }
)  # fmt: skip
OWN = frozenset({"info", "latency|histogram", "latency|latest", "cluster|nodes", "slowlog|get"})
"""What looking at a server runs there itself: left out of its percentiles and top commands."""
