"""Servers that belong together: a replica, a cluster, a primary that Sentinels watch."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from functools import partial

import redis
import redis.exceptions

from redisops.keys import slot as slot_of
from tests.servers.process import VALKEY, RedisProcess, free_port, until


@contextlib.contextmanager
def _all_or_none(servers: Cluster | Watched) -> Iterator[None]:
    """What began goes when the rest does not come: processes left alone fail a later test."""
    try:
        yield
    except BaseException:
        servers.__exit__()
        raise


class Cluster:
    """Three primaries without replicas, ``nodes``; slots are dealt out and agreed on at start."""

    def __init__(self, binary: str = VALKEY, *, node_timeout: int = 1000) -> None:
        arguments = ("--cluster-enabled", "yes", "--cluster-node-timeout", str(node_timeout))
        self.nodes = [ClusterNode(*arguments, binary=binary) for _ in range(3)]
        self.replicas: list[RedisProcess] = []
        self._moved: dict[int, RedisProcess] = {}

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def __enter__(self) -> Cluster:
        with _all_or_none(self):
            self._form()
        return self

    def _form(self) -> None:
        for node in self.nodes:
            node.start(wait=False)
        for node in self.nodes:
            node.wait_until_it_answers()
        bounds = (0, 5461, 10923, 16384)
        clients = [node.client() for node in self.nodes]
        first = self.nodes[0]
        for at, client in enumerate(clients):
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", bounds[at], bounds[at + 1] - 1)
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", at + 1)
            if at:
                client.execute_command("CLUSTER", "MEET", "127.0.0.1", first.port, first.bus)
        for client in clients:
            until(partial(self._agrees, client), f"the cluster of {self.url} did not form")
            client.close()

    def __exit__(self, *details: object) -> None:
        for node in (*self.replicas, *self.nodes):
            node.remove()

    def add_replica(self) -> RedisProcess:
        """One more node: a replica of the first primary that has caught up and takes no failover.

        It ends with the cluster; ``nodes`` stay the primaries.
        """
        first = self.nodes[0]
        arguments = ("--cluster-enabled", "yes", "--cluster-replica-no-failover", "yes")
        node = ClusterNode(*arguments, binary=first.binary)
        self.replicas.append(node)
        node.start()
        with node.client() as plain, first.client() as at_first:
            # It is named once it has something of its primary's: a PING does, each ten seconds.
            at_first.config_set("repl-ping-replica-period", 1)
            plain.execute_command("CLUSTER", "MEET", "127.0.0.1", first.port, first.bus)
            whose = at_first.execute_command("CLUSTER", "MYID")
            until(
                lambda: bool(plain.execute_command("CLUSTER", "REPLICATE", whose)),
                "the cluster did not take a replica",
            )
            _wait_until_in_step(node)
            until(
                lambda: f"{node.port}" in str(at_first.execute_command("CLUSTER", "SLOTS")),
                "the cluster does not name the replica",
                20,
            )
        return node

    def node_of(self, slot: int) -> RedisProcess:
        """The primary that serves ``slot``: as dealt out at start, or as ``to_move`` has told."""
        dealt = self.nodes[min(slot // 5461, 2) if slot < 10923 else 2]
        return self._moved.get(slot, dealt)

    def key_on(self, node: RedisProcess) -> str:
        """A name whose slot the node serves."""
        names = (f"k{n}" for n in itertools.count())
        return next(name for name in names if self.node_of(slot_of(name.encode())) is node)

    def to_move(self) -> tuple[str, RedisProcess, RedisProcess]:
        """A name whose slot has never moved, the node that serves it, and one that shall.

        The test moves it; from now on it counts as moved.
        """
        slot = next(
            slot for n in itertools.count()
            if (slot := slot_of(b"move%d" % n)) not in self._moved
            and self.node_of(slot) is self.nodes[0]
        )  # fmt: skip
        self._moved[slot] = self.nodes[1]
        name = next(name for n in itertools.count() if slot_of(name := b"move%d" % n) == slot)
        return name.decode(), self.nodes[0], self.nodes[1]

    @staticmethod
    def _agrees(client: redis.Redis) -> bool:
        told = client.execute_command("CLUSTER", "INFO")
        return (
            b"cluster_state:ok" in _bytes(told)
            and b"cluster_known_nodes:3" in _bytes(told)
            and len(client.execute_command("CLUSTER", "SLOTS")) == 3
        )


class ClusterNode(RedisProcess):
    """A cluster node: its bus has a free port too (the default, port + 10000, may be taken)."""

    def __init__(self, *arguments: str, binary: str) -> None:
        self.bus = free_port()
        super().__init__(*arguments, "--cluster-port", str(self.bus), binary=binary)


class Watched:
    """A primary, one replica and three Sentinels that call the service ``shop``.

    ``down_after`` is in milliseconds. ``fail_over`` asks for a failover and returns when the
    Sentinels name the other server.
    """

    service = "shop"

    def __init__(self, binary: str = VALKEY, *, down_after: int = 500) -> None:
        self.primary = RedisProcess(binary=binary)
        self.replica = RedisProcess("--replicaof", f"127.0.0.1 {self.primary.port}", binary=binary)
        self.sentinels = [_Sentinel(self.primary.port, down_after, binary) for _ in range(3)]

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{hosts}/{self.service}/0"

    def __enter__(self) -> Watched:
        with _all_or_none(self):
            self._form()
        return self

    def _form(self) -> None:
        self.primary.start()
        self.replica.start()
        _wait_until_in_step(self.replica)
        for sentinel in self.sentinels:
            sentinel.start(wait=False)
        for sentinel in self.sentinels:
            sentinel.wait_until_it_answers()
            self._hurry(sentinel, publish=100)
        for sentinel in self.sentinels:
            until(partial(self._knows, sentinel), "the Sentinels did not find each other", 20)
        for sentinel in self.sentinels:
            # A replica that was just promoted is let be for four of these before it is demoted.
            self._hurry(sentinel, publish=500)

    def __exit__(self, *details: object) -> None:
        for server in (*self.sentinels, self.primary, self.replica):
            server.remove()

    def fail_over(self) -> None:
        """Promote the replica; the primary lives on as a replica.

        It is told what a Sentinel tells it some seconds later, in the same words.
        """
        with self.sentinels[0].client() as sentinel:
            until(
                lambda: bool(sentinel.execute_command("SENTINEL", "FAILOVER", self.service)),
                "the Sentinels do not begin a failover",
            )
        self.wait_for_primary(self.replica.port)
        with self.primary.client() as old, old.pipeline(transaction=True) as told:
            told.replicaof("127.0.0.1", self.replica.port)
            for kind in ("normal", "pubsub"):
                told.client_kill_filter(_type=kind, skipme=True)
            told.execute()

    def steady(self) -> None:
        """After a failover or a pause: all processes go on, empty, ready for the next failover.

        ``primary`` and ``replica`` are again what the names say.
        """
        for server in (*self.sentinels, self.primary, self.replica):
            server.resume()
        with self.sentinels[0].client() as sentinel:
            if not self._names(sentinel, self.primary.port):
                self.primary, self.replica = self.replica, self.primary
        for server, place in ((self.primary, ("NO", "ONE")), (self.replica, self._at_primary)):
            with server.client() as plain:
                if plain.role()[0] != (b"master" if server is self.primary else b"slave"):
                    plain.replicaof(*place)
        self.wait_for_primary(self.primary.port)
        _wait_until_in_step(self.replica)
        with self.primary.client() as plain:
            plain.flushall()
        for sentinel in self.sentinels:
            until(partial(self._knows, sentinel), "the Sentinels do not know who is who", 30)

    def wait_for_primary(self, port: int, seconds: float = 20) -> None:
        """Return when all Sentinels name the server on ``port`` and it takes writes."""
        for sentinel in self.sentinels:
            with sentinel.client() as client:
                until(
                    partial(self._names, client, port),
                    f"a Sentinel does not name the server on port {port} as primary",
                    seconds,
                )
        with redis.Redis(port=port) as client:
            until(lambda: client.role()[0] == b"master", f"port {port} is no primary", seconds)

    @property
    def _at_primary(self) -> tuple[str, str]:
        return "127.0.0.1", str(self.primary.port)

    @staticmethod
    def _hurry(sentinel: RedisProcess, *, publish: int) -> None:
        """Look and tell more often than usual (milliseconds), so that tests need not wait.

        On a machine whose processors are busy a Sentinel would take a late timer for a jump
        of the clock and do nothing for 30 s (TILT).
        """
        with sentinel.client() as client:
            client.execute_command(
                "SENTINEL", "DEBUG", "INFO-PERIOD", 200, "ASK-PERIOD", 100,
                "PUBLISH-PERIOD", publish, "TILT-TRIGGER", 10000, "TILT-PERIOD", 500,
            )  # fmt: skip

    def _names(self, client: redis.Redis, port: int) -> bool:
        told = client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.service)
        return int(told[1]) == port

    def _knows(self, sentinel: RedisProcess) -> bool:
        with sentinel.client() as client:
            state = client.sentinel_masters()[self.service]
            replicas = client.sentinel_slaves(self.service)
            if len(replicas) != 1:  # it reads who they are from the primary's INFO, soon
                return False
            replica = replicas[0]
            return bool(
                state["num-other-sentinels"] == 2
                and not (state["is_sdown"] or state["is_odown"] or replica["is_sdown"])
                and replica["port"] == self.replica.port
                and replica["master-link-status"] == "ok"
                and replica["slave-repl-offset"] > 0
            )


class _Sentinel(RedisProcess):
    """A Sentinel keeps its state in its configuration file, so it gets one of its own."""

    def __init__(self, primary: int, down_after: int, binary: str) -> None:
        super().__init__(binary=binary)
        self.configuration = self.directory / "sentinel.conf"
        name = Watched.service
        self.configuration.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {self.directory}\n"
            f"sentinel monitor {name} 127.0.0.1 {primary} 2\n"
            f"sentinel down-after-milliseconds {name} {down_after}\n"
            f"sentinel failover-timeout {name} 3000\n"
        )

    def command(self) -> list[str]:
        return [self.binary, str(self.configuration), "--sentinel"]


@contextlib.contextmanager
def replica_of(primary: RedisProcess) -> Iterator[RedisProcess]:
    """A read-only replica that has caught up. ``MASTERDOWN``: kill the primary and set
    ``replica-serve-stale-data no``."""
    with RedisProcess("--replicaof", f"127.0.0.1 {primary.port}", binary=primary.binary) as replica:
        _wait_until_in_step(replica)
        yield replica


def _wait_until_in_step(replica: RedisProcess) -> None:
    with replica.client() as client:
        until(
            lambda: client.info("replication")["master_link_status"] == "up",
            "the replica did not catch up",
        )


def _bytes(reply: object) -> bytes:
    """CLUSTER INFO as the server sent it, whether or not redis-py has parsed it."""
    if isinstance(reply, dict):
        return "\n".join(f"{name}:{value}" for name, value in reply.items()).encode()
    return reply if isinstance(reply, bytes) else str(reply).encode()
