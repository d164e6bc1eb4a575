"""The causes of trouble, and what each says to people."""

from __future__ import annotations

from enum import StrEnum


class Cause(StrEnum):
    """Why a call to Redis did not do what was asked."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    LOADING = "loading"
    BUSY = "busy"
    MISCONF = "misconf"
    OOM = "oom"
    READONLY = "readonly"
    MASTERDOWN = "masterdown"
    NOPERM = "noperm"
    AUTH = "auth"
    MAXCLIENTS = "maxclients"
    WRONGTYPE = "wrongtype"
    CLUSTERDOWN = "clusterdown"
    MOVED = "moved"
    CROSSSLOT = "crossslot"
    UNKNOWN_RESULT = "unknown_result"
    UNSUPPORTED = "unsupported"
    TLS = "tls"
    DNS = "dns"
    OPEN_CIRCUIT = "open_circuit"
    DEADLINE = "deadline"
    OTHER = "other"


# What each cause says to people: what happened and why, then what to do next.
WORDS: dict[Cause, tuple[str, str]] = {
    Cause.UNREACHABLE: (
        "Redis does not accept connections at this address, or it closed this one.",
        "Check that the server runs and that its host, port and firewall are right.",
    ),
    Cause.TIMEOUT: (
        "Redis accepted the connection but did not answer in time.",
        "Look at the server's CPU and at SLOWLOG for a command that holds it up.",
    ),
    Cause.LOADING: (
        "Redis is reading its data from disk and answers once that is done.",
        "Wait; INFO persistence shows how far loading is.",
    ),
    Cause.BUSY: (
        "A script or function runs longer than busy-reply-threshold, and nothing else is served.",
        "Wait for it, or end it with SCRIPT KILL (FUNCTION KILL for a function).",
    ),
    Cause.MISCONF: (
        "Redis refuses writes because its last snapshot could not be saved to disk.",
        "Free disk space or repair the data directory, then run BGSAVE.",
    ),
    Cause.OOM: (
        "Redis has reached maxmemory and its policy lets it evict nothing for this write.",
        "Delete or expire keys, raise maxmemory, or choose an eviction policy.",
    ),
    Cause.READONLY: (
        "This server is a replica and takes no writes.",
        "Connect to its primary; after a failover, correct the address or use Sentinel.",
    ),
    Cause.MASTERDOWN: (
        "This replica has lost its primary and is set not to serve stale data.",
        "Check the primary and the link to it (INFO replication).",
    ),
    Cause.NOPERM: (
        "The Redis user of this connection may not run this command on this key.",
        "Ask whoever keeps the ACL to add the right that is named below, or use another user.",
    ),
    Cause.AUTH: (
        "Redis did not accept the user name and password of this connection.",
        "Correct the credentials of this server; ACL LOG shows each refusal.",
    ),
    Cause.MAXCLIENTS: (
        "Redis has as many clients as maxclients allows and refuses new ones.",
        "Close idle clients (CLIENT LIST) or raise maxclients.",
    ),
    Cause.WRONGTYPE: (
        "The key holds another type than this command works on.",
        "Look at the key's type (TYPE) and use a command for it.",
    ),
    Cause.CLUSTERDOWN: (
        "The cluster does not serve this slot: a primary is missing or slots are not assigned.",
        "Run CLUSTER NODES and bring the missing primary or its replica back.",
    ),
    Cause.MOVED: (
        "The key's slot lives on another node of the cluster.",
        "Connect with a redis+cluster:// address; if you do, the slots are moving: try again.",
    ),
    Cause.CROSSSLOT: (
        "The keys of this command live in different slots of the cluster.",
        "Give the keys one hash tag, like {user:1}, or send one command per key.",
    ),
    Cause.UNKNOWN_RESULT: (
        "The write was sent but its reply was lost: Redis may or may not have done it.",
        "Read the key to see which; nothing is sent again by itself.",
    ),
    Cause.UNSUPPORTED: (
        "This server does not know this command or option.",
        "Upgrade the server or load the module that brings the command.",
    ),
    Cause.TLS: (
        "The encrypted connection was not established, so nothing was sent over it.",
        "Check the CA, the certificate's name and dates, and that this port speaks TLS.",
    ),
    Cause.DNS: (
        "The server's host name has no address.",
        "Correct the host name, or check the resolver of this machine.",
    ),
    Cause.OPEN_CIRCUIT: (
        "Nothing was sent: this server did not answer before, and it is tried again shortly.",
        "Wait a moment; each 2 s one call is let through to see if it is back.",
    ),
    Cause.DEADLINE: (
        "The answer was not complete when the time for this batch was over.",
        "Ask for less at once, or look at the server's load and the network.",
    ),
    Cause.OTHER: (
        "Redis refused the command.",
        "Read Redis's own words below.",
    ),
}
