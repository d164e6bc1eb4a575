"""Commands that a shared console runs for nobody, each with the reason and what to use instead."""

from __future__ import annotations

from typing import NamedTuple


class Refusal(NamedTuple):
    """Why not, and what to do: two sentences."""

    reason: str
    instead: str


_SHARED = "Connections are shared: it would change what the next person's commands do."
_ENDLESS = "It answers without end, and a command here has one bounded answer."
_WHOLE = "It would hold the connection until something happens, which may be never."
_ONE = "Each line is sent by itself, on whichever connection is free."
_INNER = "It belongs to the talk between servers, not between people and a server."

_SUBSCRIBE = Refusal(_ENDLESS, "PUBSUB CHANNELS shows who listens; redis-cli can subscribe.")
_BLOCKING = {
    "blpop": "LPOP", "brpop": "RPOP", "brpoplpush": "RPOPLPUSH", "blmove": "LMOVE",
    "blmpop": "LMPOP", "bzpopmin": "ZPOPMIN", "bzpopmax": "ZPOPMAX", "bzmpop": "ZMPOP",
}  # fmt: skip
_TRANSACTION = Refusal(
    f"{_ONE} A transaction would be torn apart.",
    "Run the commands one by one, or as one script with EVAL (admins).",
)

REFUSED: dict[str, Refusal] = {
    "auth": Refusal(_SHARED, "Name the user and password in the server's settings."),
    "hello": Refusal(_SHARED, "CLIENT INFO shows who is connected how; INFO server the version."),
    "reset": Refusal(_SHARED, "There is no state to reset: each command stands alone."),
    "select": Refusal(_SHARED, "Add the server once more with the other database's number."),
    "quit": Refusal("There is no connection of yours to close.", "Leave the page."),
    "monitor": Refusal(
        f"{_ENDLESS} It also slows the server and shows everybody's values.",
        "SLOWLOG GET shows slow commands, the overview the most frequent ones.",
    ),
    "subscribe": _SUBSCRIBE,
    "psubscribe": _SUBSCRIBE,
    "ssubscribe": _SUBSCRIBE,
    "unsubscribe": _SUBSCRIBE,
    "punsubscribe": _SUBSCRIBE,
    "sunsubscribe": _SUBSCRIBE,
    "sync": Refusal(_INNER, "Take a copy with BGSAVE where the server runs."),
    "psync": Refusal(_INNER, "Take a copy with BGSAVE where the server runs."),
    "replconf": Refusal(_INNER, "INFO replication shows its state."),
    "asking": Refusal(_INNER, "Redirections of a cluster are followed by themselves."),
    "readonly": Refusal(_SHARED, "Choose a node: reads go where the key is."),
    "readwrite": Refusal(_SHARED, "Choose a node: reads go where the key is."),
    "restore-asking": Refusal(_INNER, "RESTORE does the same for people."),
    "wait": Refusal(_WHOLE, "INFO replication shows each replica's offset."),
    "waitaof": Refusal(_WHOLE, "INFO persistence shows when the append-only file was written."),
    "multi": _TRANSACTION,
    "exec": _TRANSACTION,
    "discard": _TRANSACTION,
    "watch": _TRANSACTION,
    "unwatch": _TRANSACTION,
    "debug": Refusal(
        "It can stop, stall or damage the server.", "OBJECT, MEMORY USAGE and INFO tell the same."
    ),
    "pfdebug": Refusal("It converts the key that it looks at.", "PFCOUNT counts."),
    "pfselftest": Refusal("It keeps the server busy for seconds.", "PFCOUNT counts."),
    "shutdown": Refusal("Nobody could start the server again from here.", "Stop it where it runs."),
    "save": Refusal("Nobody is served until the snapshot is written.", "BGSAVE does it aside."),
    "keys": Refusal(
        "It looks at every key before it answers, and nobody else is served meanwhile.",
        "Use Keys on the side, or SCAN 0 MATCH pattern COUNT 100.",
    ),
    "module|load": Refusal("It runs code on the server.", "Load it in the server's configuration."),
    "module|loadex": Refusal(
        "It runs code on the server.", "Load it in the server's configuration."
    ),
    "module|unload": Refusal(
        "Keys of its types would be lost.", "Change the server's configuration."
    ),
    "script|debug": Refusal(_SHARED, "redis-cli --ldb debugs a script."),
    "client|reply": Refusal(_SHARED, "Answers are always shown."),
    "client|tracking": Refusal(_SHARED, "CLIENT TRACKINGINFO shows what is on."),
    "client|caching": Refusal(_SHARED, "CLIENT TRACKINGINFO shows what is on."),
    "client|setname": Refusal(_SHARED, "CLIENT GETNAME shows the console's own name."),
    "client|setinfo": Refusal(_SHARED, "CLIENT INFO shows what is set."),
    "client|no-evict": Refusal(_SHARED, "CLIENT INFO shows what is set."),
    "client|no-touch": Refusal(_SHARED, "The console never counts its reads as use."),
    "client|import-source": Refusal(_SHARED, "CLIENT INFO shows what is set."),
    "client|capa": Refusal(_SHARED, "CLIENT INFO shows what is set."),
    **{
        name: Refusal(_WHOLE, f"{other} does the same and answers at once.")
        for name, other in _BLOCKING.items()
    },
}
BLOCK_OPTION = Refusal(_WHOLE, "Leave out BLOCK: it answers at once with what is there.")
BLOCKS = Refusal(_WHOLE, "Use a command that answers at once.")
