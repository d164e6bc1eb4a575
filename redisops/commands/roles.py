"""Who may run what: the reviewed commands, and those for which flags alone do not decide.

A command is run only when it is reviewed, which means that it stands in the kept table, in
``NEWER`` or in a list here. What a later server adds is refused until somebody has looked.
"""

from __future__ import annotations

from typing import NamedTuple

VIEWER, OPERATOR, ADMIN = "viewer", "operator", "admin"
ROLES = (VIEWER, OPERATOR, ADMIN)


def words(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


FLAGS = words(
    "write readonly denyoom admin pubsub noscript random sort_for_script loading stale "
    "skip_monitor skip_slowlog skip_commandlog asking fast no_auth may_replicate "
    "no_mandatory_keys no_multi allow_busy blocking movablekeys no_async_loading module"
)
"""The flags whose meaning the policy knows; a command with another one is refused."""


class Rule(NamedTuple):
    """``role``: the least that may run it. ``writes``: it changes something. ``confirm``: it is
    typed again first. ``reaches``: it may touch keys that nobody can name beforehand."""

    role: str
    writes: bool = False
    confirm: bool = False
    reaches: bool = False


def _each(rule: Rule, names: str) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


READ = Rule(VIEWER)
RULES: dict[str, Rule] = {
    # Without keys: what is not here is refused.
    **_each(
        READ,
        "ping echo time dbsize info lastsave role lolwut randomkey scan command command|count "
        "command|docs command|getkeys command|getkeysandflags command|info command|list "
        "pubsub|channels pubsub|numpat pubsub|numsub pubsub|shardchannels pubsub|shardnumsub "
        "client|id client|getname client|info client|getredir client|trackinginfo "
        "acl|whoami acl|cat acl|genpass cluster|info cluster|nodes cluster|slots "
        "cluster|shards cluster|links cluster|myid cluster|myshardid cluster|keyslot "
        "cluster|countkeysinslot cluster|getkeysinslot "
        "cluster|slot-stats acl|help client|help cluster|help command|help commandlog|help "
        "config|help function|help latency|help memory|help module|help object|help "
        "pubsub|help script|help slowlog|help xgroup|help xinfo|help",
    ),
    **_each(
        Rule(OPERATOR),
        "client|list memory|doctor memory|stats memory|malloc-stats latency|latest "
        "latency|history latency|doctor latency|graph latency|histogram slowlog|len "
        "commandlog|len cluster|count-failure-reports cluster|replicas cluster|slaves module|list",
    ),
    # They show the arguments of commands that anybody ran, the console's own among them.
    **_each(Rule(OPERATOR, reaches=True), "slowlog|get commandlog|get"),
    **_each(Rule(OPERATOR, writes=True), "publish spublish"),
    **_each(
        Rule(ADMIN),
        "config|get acl|list acl|users acl|getuser acl|log acl|dryrun script|exists script|show "
        "function|list function|stats function|dump",
    ),
    **_each(
        Rule(ADMIN, writes=True),
        "bgsave bgrewriteaof latency|reset slowlog|reset commandlog|reset memory|purge "
        "config|resetstat script|load function|load client|unpause client|unblock "
        "cluster|saveconfig",
    ),
    **_each(
        Rule(ADMIN, writes=True, confirm=True),
        "config|set config|rewrite acl|setuser acl|deluser acl|load acl|save client|kill "
        "client|pause script|flush script|kill function|delete function|flush function|restore "
        "function|kill",
    ),
    **_each(
        Rule(ADMIN, writes=True, confirm=True, reaches=True),
        "flushall flushdb swapdb replicaof slaveof failover cluster|addslots "
        "cluster|addslotsrange cluster|bumpepoch cluster|delslots cluster|delslotsrange "
        "cluster|failover cluster|flushslots cluster|forget cluster|meet cluster|replicate "
        "cluster|reset cluster|set-config-epoch cluster|setslot",
    ),
    # Scripts: what they touch is known to themselves alone.
    **_each(Rule(ADMIN, writes=True, reaches=True), "eval evalsha fcall"),
    **_each(Rule(ADMIN, reaches=True), "eval_ro evalsha_ro fcall_ro"),
    # With keys, where the flags say too little.
    "sort": Rule(OPERATOR, writes=True),
    "sort_ro": Rule(OPERATOR),
    "lcs": Rule(OPERATOR),
    **_each(Rule(OPERATOR), "sdiff sinter sunion zdiff zinter zunion"),
    "migrate": Rule(ADMIN, writes=True, confirm=True),
    "restore": Rule(ADMIN, writes=True),
    # An index may hold any key.
    **_each(
        Rule(ADMIN, reaches=True),
        "ft.search ft.aggregate ft.info ft._list ft.explain ft.profile ft.spellcheck ft.tagvals "
        "ts.mget ts.mrange ts.mrevrange ts.queryindex",
    ),
    **_each(
        Rule(ADMIN, writes=True, confirm=True, reaches=True),
        "ft.create ft.alter ft.dropindex ft.aliasadd ft.aliasupdate ft.aliasdel",
    ),
}

SLOW_FOR_VIEWERS = words(
    "bitcount bitpos dump geodist geohash geopos georadius_ro georadiusbymember_ro "
    "geosearch getrange hgetall hkeys hrandfield hscan hvals lindex lpos lrange "
    "memory|usage object|encoding object|freq object|idletime object|refcount pfcount "
    "sintercard smembers srandmember sscan substr xinfo|consumers xinfo|groups xinfo|stream "
    "xpending xrange xread xrevrange zintercard zrandmember zrange zrangebylex "
    "zrangebyscore zrevrange zrevrangebylex zrevrangebyscore zscan json.get json.mget "
    "json.arrindex json.objkeys json.arrlen json.objlen json.strlen json.type json.resp "
    "ts.range ts.revrange vsim vrange vrandmember vlinks topk.list tdigest.quantile"
)
"""Reads without the flag ``fast`` whose cost and reply ``bounds`` keeps small."""

NEWER = words(
    "hexpire hpexpire hexpireat hpexpireat httl hpttl hexpiretime hpexpiretime hpersist "
    "hgetex hsetex hgetdel vadd vsim vcard vdim vemb vgetattr vinfo vismember vlinks "
    "vrandmember vrange vrem vsetattr xdelex xackdel delifeq delex digest msetex json.set "
    "json.get json.mget json.mset json.merge json.del json.forget json.type json.strlen "
    "json.strappend json.numincrby json.nummultby json.arrappend json.arrindex "
    "json.arrinsert json.arrlen json.arrpop json.arrtrim json.objkeys json.objlen "
    "json.clear json.toggle json.resp bf.add bf.madd bf.exists bf.mexists bf.reserve "
    "bf.insert bf.info bf.card cf.add cf.addnx cf.del cf.exists cf.mexists cf.count "
    "cf.reserve cf.info cf.insert cms.initbydim cms.initbyprob cms.incrby cms.query "
    "cms.info topk.reserve topk.add topk.incrby topk.query topk.count topk.list topk.info "
    "tdigest.create tdigest.add tdigest.quantile tdigest.cdf tdigest.info tdigest.min "
    "tdigest.max ts.create ts.alter ts.add ts.madd ts.incrby ts.decrby ts.del ts.get "
    "ts.info ts.range ts.revrange"
)
"""Reviewed commands that are younger than the kept table, and those of Redis 8's modules."""

NEWER_READS = words(
    "httl hpttl hexpiretime hpexpiretime vsim vcard vdim vemb vgetattr vinfo vismember vlinks "
    "vrandmember vrange digest json.get json.mget json.type json.strlen json.arrindex "
    "json.arrlen json.objkeys json.objlen json.resp bf.exists bf.mexists bf.info bf.card "
    "cf.exists cf.mexists cf.count cf.info cms.query cms.info topk.query topk.count topk.list "
    "topk.info tdigest.quantile tdigest.cdf tdigest.info tdigest.min tdigest.max ts.get ts.info "
    "ts.range ts.revrange"
)
"""Those of ``NEWER`` that only read; the others write, whatever a server says of them."""
