"""Check one instance: resolve once, connect to the literal address, speak, say what was found."""

from __future__ import annotations

import asyncio
import datetime
import errno
import functools
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509

from dashboard.services.checks import targets, wire
from dashboard.services.checks.exchange import Exchange, Failed, Outcome
from dashboard.services.checks.spec import ENCRYPTED, Check

NAMES_SECONDS = 20.0
"""A name is not asked for again within: ten thousand instances may share one."""
_OURS = frozenset([errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL,
                   errno.EACCES, errno.EPERM])  # fmt: skip
_USUAL = {"http": 80, "https": 443}

# Of its own: a resolver that does not answer must not stop what else runs in threads.
_resolvers = ThreadPoolExecutor(16, "redisops-names")
_names: dict[tuple[str, int, str], tuple[float, list[str]]] = {}


@dataclass(slots=True)
class _So:
    """How far a check has come, for who must say why it went no further."""

    begun: float = 0.0
    named: bool = False
    connected: bool = False
    detail: dict[str, Any] = field(default_factory=dict)


async def ask(check: Check, host: str, port: int, log: Exchange | None = None) -> Outcome:
    """Check what is at ``host``; never longer than ``check.timeout``, and raises nothing.

    ``targets.look`` must have been called, at most a while ago. ``log`` is told every step.
    """
    port = check.port or port
    so = _So(time.perf_counter())
    try:
        async with asyncio.timeout(check.timeout):
            state, why = await _asked(check, host, port, so, log)
    except targets.Refused as error:
        outcome = refused(error)
    except TimeoutError:
        outcome = late(check, connected=so.connected, named=so.named, detail=so.detail)
    except OSError as error:
        outcome = trouble(error, host, port, _ms(so), connected=so.connected)
    else:
        ms = _ms(so)
        if state == "pass":
            state, why = passed(check, so.detail, ms)
        outcome = Outcome(state, why, ms, connected=True, detail=so.detail)
    if log:
        log.note("Not connected" if outcome.own else f"Result: {outcome.state}", outcome.why)
    return outcome


async def _asked(
    check: Check, host: str, port: int, so: _So, log: Exchange | None
) -> tuple[str, str]:
    addresses = await _addresses(host, port, check.kind)
    so.named = True
    if log and addresses != [host]:
        log.note(f"{host} is", "\n".join(addresses))
    for place, address in enumerate(addresses[:4], 1):
        targets.judge(address, port, check.kind)
        so.begun = time.perf_counter()
        try:
            ends = await asyncio.open_connection(address, port, limit=wire.MOST_HEAD)
        except OSError as error:
            if log:
                log.note(f"Connecting to {address} port {port}", str(error))
            if place == min(len(addresses), 4):
                raise
            continue
        try:
            return await _spoken(check, ends, address, host, port, so, log)
        finally:
            ends[1].transport.abort()
    raise OSError(errno.EHOSTUNREACH, "the name has no address")


async def _spoken(
    check: Check, ends: wire.Ends, address: str, host: str, port: int, so: _So,
    log: Exchange | None,
) -> tuple[str, str]:  # fmt: skip
    """From the open connection on: what goes wrong now is the instance's."""
    writer = ends[1]
    peer = writer.get_extra_info("peername")
    if not targets.pinned(peer, address):
        raise targets.Refused(f"The connection to {address} ended at {peer}.")
    so.connected = True
    if log:
        log.note(f"Connected to {address} port {port}")
    name = check.host or host
    try:
        if check.kind in ENCRYPTED:
            await writer.start_tls(_context(verify=check.verify), server_hostname=name)
            so.detail |= _certificate(writer, log)
        if check.kind in _USUAL:
            so.detail |= await wire.http(check, ends, authority(name, port, check.kind), log)
        elif check.kind == "redis":
            so.detail |= await wire.redis(ends, log)
        elif check.kind == "grpc":
            so.detail |= await wire.grpc(check, ends, authority(name, port, ""), log)
    except Failed as error:
        return error.state, error.why
    except ssl.SSLCertVerificationError as error:
        return "fail", f"its certificate is not valid: {error.verify_message}"
    except TimeoutError:
        raise
    except OSError as error:  # of TLS too
        words = getattr(error, "reason", None) or error.strerror or str(error) or "closed"
        return "fail", f"the connection broke: {words}"
    return "pass", ""


def passed(check: Check, detail: dict[str, Any], ms: float) -> tuple[str, str]:
    """``pass`` or ``warn``, and why, of a check that found what it asked for."""
    days = detail.get("certificate_days")
    if days is not None and check.certificate_days and days < check.certificate_days:
        return "warn", f"its certificate ends in {days} days"
    if check.warn_ms and ms > check.warn_ms:
        return "warn", f"{ms:,.0f} ms, slower than {check.warn_ms:,} ms"
    if check.kind in _USUAL:
        return "pass", f"HTTP {detail['status']}"
    words = {"tcp": "port open", "tls": "handshake done", "redis": "PONG", "grpc": "SERVING"}
    return "pass", detail.pop("note", "") or words[check.kind]


def refused(error: targets.Refused) -> Outcome:
    """What is not connected to: nothing is known of it, and that says why."""
    detail = {"refused": str(error)[:200]}
    return Outcome("unknown", f"not checked: {error}", own=True, detail=detail)


def late(
    check: Check, *, connected: bool, named: bool = True, detail: dict[str, Any] | None = None
) -> Outcome:
    """Its time is over."""
    if connected:
        why = f"connected, but no answer within {check.timeout:g} s"
        return Outcome("fail", why, None, connected=True, detail=detail or {})
    if not named:
        return Outcome("unknown", f"its name was not resolved within {check.timeout:g} s", own=True)
    return Outcome("fail", f"no connection within {check.timeout:g} s")


def trouble(error: OSError, host: str, port: int, ms: float, *, connected: bool = False) -> Outcome:
    """What an error of the system says of the instance, or of us."""
    if isinstance(error, ConnectionRefusedError):
        return Outcome("refused", f"connection refused at port {port}", ms, connected=True)
    if isinstance(error, socket.gaierror):
        if error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", None)):
            return Outcome("fail", f"there is no name {host}")
        return Outcome("unknown", f"{host} is not resolved: {error.strerror}", own=True)
    if error.errno in _OURS:
        return Outcome("unknown", f"this checker cannot connect: {error.strerror}", own=True)
    return Outcome("fail", f"no connection: {error.strerror or error}", connected=connected)


async def _addresses(host: str, port: int, kind: str) -> list[str]:
    """The literal addresses of a host; names in a thread, at most every 20 s."""
    if targets.literal(host) is not None:
        return targets.resolve(host, port, kind)
    asked = (host, port, kind)
    known = _names.get(asked)
    now = time.monotonic()
    if known is not None and now < known[0]:
        return known[1]
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(_resolvers, targets.resolve, host, port, kind)
    if len(_names) > 20_000:
        _names.clear()
    _names[asked] = (now + NAMES_SECONDS, found)
    return found


@functools.lru_cache(maxsize=2)
def _context(*, verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _certificate(writer: asyncio.StreamWriter, log: Exchange | None) -> dict[str, Any]:
    tls = writer.get_extra_info("ssl_object")
    packed = tls.getpeercert(binary_form=True) if tls else None
    if not packed:
        return {}
    try:
        ends, subject = _read(packed)
    except ValueError as error:
        raise Failed("fail", "its certificate cannot be read") from error
    left = (ends - datetime.datetime.now(datetime.UTC)).total_seconds()
    if log:
        log.note(
            f"{tls.version()}, {tls.cipher()[0]}", f"{subject}\nends {ends:%Y-%m-%d %H:%M} UTC"
        )
    return {"certificate_days": int(left // 86_400)}


@functools.lru_cache(maxsize=4_096)
def _read(packed: bytes) -> tuple[datetime.datetime, str]:
    found = x509.load_der_x509_certificate(packed)
    return found.not_valid_after_utc, found.subject.rfc4514_string()[:300]


def authority(name: str, port: int, kind: str) -> str:
    shown = f"[{name}]" if ":" in name else name
    return shown if _USUAL.get(kind) == port else f"{shown}:{port}"


def _ms(so: _So) -> float:
    return (time.perf_counter() - so.begun) * 1000
