"""Tries a configuration before it is kept, step by step, and says at which step it ends and why."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import RedisError

from dashboard.servers import clients
from dashboard.servers.editing import rights
from dashboard.servers.editing.reach import Finding, reach
from dashboard.servers.models import HOME, Server
from dashboard.servers.secrets import SecretUnreadable
from redisops.connection import Client
from redisops.errors import RedisopsError
from redisops.resilience import Cause, deadline, diagnose

# Together they stay below the time that a page may take.
REACH_SECONDS = 1.2
TALK_SECONDS = 1.5
NODES = 6


@dataclass
class Check:
    """All findings, in order; ``is_well`` when the server can be used as configured."""

    findings: list[Finding] = field(default_factory=list)
    rights: rights.Report | None = None

    @property
    def is_well(self) -> bool:
        return bool(self.findings) and all(f.state != "bad" for f in self.findings)

    @property
    def verdict(self) -> str:
        bad = [finding for finding in self.findings if finding.state == "bad"]
        remarks = sum(finding.state == "warn" for finding in self.findings)
        if bad:
            return f"It cannot be used like this; look at “{bad[0].step}”."
        if remarks:
            return f"It can be used, with {remarks} remark{'s' if remarks > 1 else ''}."
        return "It can be used."


def run(server: Server) -> Check:
    """Resolve, connect, encrypt, sign in, ask. Ends at the first step that fails; under 3 s."""
    check = Check()
    if server.endpoint.path is None:
        nodes = _reach_all(server)
        answering = sum(finding.is_ok for finding in nodes)
        # Some dead nodes of several are a remark: the others know the rest.
        check.findings += nodes if not answering else [_softer(finding) for finding in nodes]
        if not answering:
            return check
    _talk(server, check)
    return check


def _reach_all(server: Server) -> list[Finding]:
    """Every node at once, each in a thread: a resolver may hang longer than anybody waits."""
    hosts = server.endpoint.hosts[:NODES]
    asked = [(host, port, _aside(reach, host, port, server)) for host, port in hosts]
    end = time.monotonic() + REACH_SECONDS
    findings = []
    for host, port, future in asked:
        try:
            findings.append(future.result(timeout=max(0.0, end - time.monotonic())))
        except Late:
            findings.append(
                Finding(
                    "bad",
                    "Reach it",
                    f"{host}:{port} gave no answer within {REACH_SECONDS} s.",
                    "A wrong address, a firewall that drops, or a resolver that hangs.",
                )
            )
    return findings


def _softer(finding: Finding) -> Finding:
    if finding.state != "bad":
        return finding
    return Finding("warn", finding.step, finding.seen, finding.do)


def _aside(task: Callable[..., Finding], *args: Any) -> Future[Finding]:
    future: Future[Finding] = Future()

    def work() -> None:
        try:
            future.set_result(task(*args))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=work, daemon=True, name="check").start()
    return future


def _talk(server: Server, check: Check) -> None:
    """Sign in and ask who it is; then which rights the console has."""
    note = check.findings.append
    try:
        client = clients.once(server, 1.0)
    except (SecretUnreadable, RedisopsError) as error:
        note(Finding("bad", "Read the configuration", str(error)))
        return
    try:
        with deadline(TALK_SECONDS):
            info = {**client.info("server"), **client.info("replication")}
            check.findings += _portrait(server, info)
            if check.is_well:
                check.rights = rights.check(client)
                check.findings += _judge(check.rights)
                check.findings += _whose(server, client, info)
    except (RedisError, RedisopsError) as error:
        note(_explain(server, error))
    finally:
        with contextlib.suppress(RedisError):
            client.close()


def _explain(server: Server, error: BaseException) -> Finding:
    """What the server said instead of answering, and what of the form would change that."""
    trouble = diagnose(error)
    said = f"{trouble.sentence} It said: {trouble.detail}"
    user = server.username or "default"
    if trouble.cause is Cause.LOADING:
        return Finding("warn", "Ask it", "It is loading its data and answers when that is done.")
    if trouble.cause is Cause.AUTH:
        if "NOAUTH" in trouble.detail:
            do = "It wants a password: type it, and the user's name if it is not “default”."
        elif "without any password" in trouble.detail:
            do = "It has no password: leave the password empty, or give the right user."
        else:
            do = f"User “{user}” is off, not there, or has another password."
        return Finding("bad", "Sign in", said, do)
    if trouble.cause is Cause.NOPERM:
        do = f"It may not even ask INFO: give {user} the rules +info +ping +acl|whoami."
        return Finding("bad", "Ask it", said, do)
    if server.kind == Server.Kind.SENTINEL and "no such service" in trouble.detail:
        do = f"The Sentinels know no service “{server.service}”; SENTINEL MASTERS lists them."
        return Finding("bad", "Find the primary", said, do)
    if server.kind == Server.Kind.CLUSTER and "cluster" in str(error).lower():
        do = "If this is a single server, choose Standalone."
        return Finding("bad", "Find the cluster", said, do)
    soft = trouble.cause in (Cause.BUSY, Cause.MASTERDOWN)
    return Finding("warn" if soft else "bad", "Talk to it", said, trouble.next_step)


def _portrait(server: Server, info: dict[str, Any]) -> list[Finding]:
    """What it is, and whether that is what the form says."""
    flavour = "Valkey" if info.get("valkey_version") else "Redis"
    version = info.get("valkey_version") or info.get("redis_version", "?")
    mode = info.get("server_mode") or info.get("redis_mode", "standalone")
    is_replica = info.get("role") == "slave"
    role = "replica" if is_replica else "primary"
    found = [Finding("ok", "Sign in", f"{flavour} {version}, {mode}, {role}.")]
    is_single = server.kind in (Server.Kind.STANDALONE, Server.Kind.UNIX)
    if mode == "cluster" and is_single:
        do = "Choose Cluster, so that each key is asked of the node that has it."
        found.append(Finding("bad", "Know its kind", "This is one node of a cluster.", do))
    elif mode == "sentinel":
        do = "Choose Sentinel, and name the service that it watches."
        seen = "This is a Sentinel, not a server with keys."
        found.append(Finding("bad", "Know its kind", seen, do))
    elif mode != "cluster" and server.kind == Server.Kind.CLUSTER:
        found.append(Finding("bad", "Know its kind", "This is no cluster.", "Choose Standalone."))
    if is_replica and is_single:
        where = f"{info.get('master_host')}:{info.get('master_port')}"
        seen = f"This is a replica of {where}: it takes no writes."
        do = "Right for looking only; to write, give its primary."
        found.append(Finding("warn", "Know its role", seen, do))
    return found


def _judge(report: rights.Report) -> list[Finding]:
    refused = sum(len(area.refused) for area in report.areas)
    who = f"User “{report.user}”"
    if not refused:
        found = [Finding("ok", "Know its rights", f"{who} may do all that the pages need.")]
    else:
        seen = f"{who} may not send {refused} of the commands that pages use."
        found = [Finding("warn", "Know its rights", seen, f"This gives them: {report.line}")]
    if report.keys_limited:
        do = "Pages name the missing right where they meet another key."
        found.append(Finding("warn", "Know its keys", f"{who} may touch some keys only.", do))
    return found


def _whose(server: Server, client: Client, info: dict[str, Any]) -> list[Finding]:
    """A second name for home is worth a remark; its own keys stay locked under any name."""
    if server.is_home:
        return []
    try:
        with deadline(0.5):
            home_id = Server(slug=HOME).client().info("server").get("run_id")
    except (RedisError, RedisopsError):
        return []  # home is away, so nobody can tell; the keys are locked wherever they are
    if home_id != info.get("run_id"):
        return []
    seen = "This is the Redis that the console itself runs on."
    return [Finding("warn", "Know whose it is", seen, "The console's own keys stay locked here.")]
