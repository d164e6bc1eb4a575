"""The checks that somebody who knows Redis would make for each kind of trouble, in their order.

Commands are templates: ``{cli}`` is redis-cli with the server's address, ``{host}``, ``{port}``,
``{path}``, ``{node}``, ``{user}`` and ``{since}`` are the server's own, quoted for a shell.
"""

from __future__ import annotations

from dataclasses import dataclass

from redisops.resilience import Cause


@dataclass(frozen=True)
class Remedy:
    """One check: the question, why it is asked, and a command to copy or a page to open."""

    question: str
    reason: str
    command: str = ""
    page: str = ""


LOG = Remedy(
    "Is Redis running, and why did it stop?",
    "Its log ends with the reason; look for the OOM killer too.",
    'journalctl -u redis --since "{since}" | tail -50',
)
LOCAL = Remedy(
    "Does it answer on the host itself?",
    "If so, look at bind, protected-mode, a firewall or a security group.",
    "redis-cli -h 127.0.0.1 -p {port} ping",
)
PING = Remedy(
    "Is the host up?",
    "No answer at all means the host, or the network to it.",
    "ping -c 3 {host}",
)
SOCKET = Remedy(
    "Is the socket there?",
    "Redis makes it when it starts and removes it when it stops.",
    "ls -l {path}",
)
SLOW = [
    Remedy(
        "Is the process stopped or starved?",
        "State T is stopped, D waits for a disk; 100% CPU is one slow command.",
        "ps -o pid,stat,pcpu,rss,cmd -C redis-server,valkey-server",
    ),
    Remedy(
        "Which command holds it up?",
        "It shows as soon as the server answers again.",
        "{cli} SLOWLOG GET 10",
    ),
    Remedy("Is the network slow?", "Compare with the host itself.", "{cli} --latency"),
]
UNREACHABLE = [PING, LOG, LOCAL]
REFUSED = [LOG, LOCAL]
UNIX = [SOCKET, LOG]

REMEDIES = {
    Cause.TIMEOUT: SLOW,
    Cause.DEADLINE: SLOW,
    Cause.LOADING: [
        Remedy(
            "How far is it?",
            "The page shows it too, and opens when loading ends.",
            "{cli} INFO persistence",
        ),
        Remedy("Why was it restarted?", "The log says what happened before.", LOG.command),
    ],
    Cause.BUSY: [
        Remedy(
            "Which script is it?",
            "The slow log names it once it ends; the log of your services knows now.",
            "{cli} SLOWLOG GET 5",
        ),
        Remedy(
            "May it be ended?",
            "A script that has written nothing ends at once and leaves no trace.",
            "{cli} SCRIPT KILL",
        ),
        Remedy(
            "Is it a function?", "Functions have a command of their own.", "{cli} FUNCTION KILL"
        ),
    ],
    Cause.MISCONF: [
        Remedy("Is the disk full?", "A snapshot needs about as much as the data.", "df -h"),
        Remedy(
            "May Redis write its directory?",
            "Its owner and rights must fit the user that Redis runs as.",
            "{cli} CONFIG GET dir",
        ),
        Remedy(
            "Does saving work again?",
            "Writes are taken again after the next good snapshot.",
            "{cli} BGSAVE",
        ),
    ],
    Cause.OOM: [
        Remedy(
            "How full is it, and what may it evict?",
            "With noeviction it refuses writes; with volatile-… it needs keys that expire.",
            "{cli} INFO memory",
        ),
        Remedy("What takes the room?", "The biggest keys by type.", "{cli} --memkeys"),
        Remedy(
            "Is there room on the host?",
            "If so, raise the limit; it holds until the next restart.",
            "{cli} CONFIG SET maxmemory 2gb",
        ),
    ],
    Cause.READONLY: [
        Remedy(
            "Which one is its primary?",
            "master_host and master_port say it; write there.",
            "{cli} INFO replication",
        ),
        Remedy(
            "Was there a failover?",
            "With Sentinel or a cluster the console follows it by itself.",
            "{cli} ROLE",
        ),
    ],
    Cause.MASTERDOWN: [
        Remedy(
            "Does its primary run?",
            "master_link_down_since_seconds says how long the link is down.",
            "{cli} INFO replication",
        ),
        Remedy(
            "May it answer with old data meanwhile?",
            "Readers then see what it had when the link broke.",
            "{cli} CONFIG SET replica-serve-stale-data yes",
        ),
    ],
    Cause.NOPERM: [
        Remedy(
            "What has this user been refused?",
            "The newest refusals, with command and key.",
            "{cli} ACL LOG 10",
        ),
        Remedy(
            "Which other rights does the console miss?",
            "The check lists them page by page.",
            page="rights",
        ),
    ],
    Cause.AUTH: [
        Remedy(
            "Is this user there and on?",
            "Off, or with another password: both look the same from outside.",
            "{cli} ACL GETUSER {user}",
        ),
        Remedy(
            "Was the password changed?",
            "Type the new one; stored ones are never shown.",
            page="edit",
        ),
    ],
    Cause.MAXCLIENTS: [
        Remedy("Who holds them?", "Many from one address are a leaking pool.", "{cli} CLIENT LIST"),
        Remedy(
            "Is the limit low?",
            "The system's limit of open files caps it too.",
            "{cli} CONFIG GET maxclients",
        ),
    ],
    Cause.CLUSTERDOWN: [
        Remedy(
            "Which node is missing?",
            "fail and fail? mark it; its slots follow its name.",
            "{cli} CLUSTER NODES",
        ),
        Remedy(
            "Are all slots served?",
            "The check names holes and half-done moves.",
            "redis-cli --cluster check {node}",
        ),
    ],
    Cause.MOVED: [
        Remedy(
            "Is it a cluster?",
            "Then choose Cluster for this server, so that each key is asked of its node.",
            "{cli} CLUSTER INFO",
        ),
    ],
    Cause.TLS: [
        Remedy(
            "Does this port speak TLS, and with which certificate?",
            "Issuer, names and dates are in the answer.",
            "openssl s_client -connect {node} -servername {host} </dev/null",
        ),
        Remedy(
            "Is the right CA given?",
            "A private CA must be pasted into the server's settings.",
            page="edit",
        ),
    ],
    Cause.DNS: [
        Remedy(
            "Is the name known here?",
            "Ask on the machine that the console runs on.",
            "getent hosts {host}",
        ),
        Remedy("Is a name server there?", "Containers have their own.", "cat /etc/resolv.conf"),
    ],
    Cause.UNKNOWN_RESULT: [
        Remedy(
            "Was it done?",
            "Look at what you changed; do it again only if it was not done.",
            "{cli}",
        ),
    ],
}
MOVED = Remedy("Has it moved?", "Change the address; the old one stays in the audit.", page="edit")
MOVED_HOME = Remedy(
    "Has it moved?",
    "Start the console with the new address.",
    "make run REDIS_URL=redis://…",
)
MOVED_DECLARED = Remedy(
    "Has it moved?",
    "It is declared as code: change it there, then bring the console in step.",
    "manage.py sync_servers",
)
# Where the address itself may be what is wrong.
ADDRESS = {
    Cause.UNREACHABLE, Cause.TIMEOUT, Cause.DNS, Cause.MOVED, Cause.READONLY, Cause.OPEN_CIRCUIT,
}  # fmt: skip
