"""The last step: one signed POST or one e-mail, to an address that may be reached, in bounded time.

A webhook's address is typed by people and connected to from inside the network. So the name is
resolved once, an address that is neither public nor in ``CHECK_NETWORKS`` is refused, and so is
the console's own (``checks.targets``); the connection goes to the address that was judged,
redirects are answers like others, proxies of the environment are not used, and no more than a few
kB of the answer are read.

The signature is that of Standard Webhooks: ``v1,`` and base64 of HMAC-SHA256 over
``id.timestamp.body``, keyed by the bytes behind ``whsec_``.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
import socket
import ssl
import time
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.core.mail import EmailMessage

from dashboard.services.checks import targets
from dashboard.services.notices import weighing
from dashboard.services.notices.models import Delivery, Kind, Rule

SECONDS = 10.0
MOST_HEAD = 4_096
SECRET = "whsec_"  # noqa: S105 - the prefix that names the kind of secret
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: ([^\r\n]*))?\r?\n")
_LATER = frozenset([408, 409, 423, 425, 429])


@dataclass(frozen=True)
class Outcome:
    """What came of a try: ``answer`` in words; ``is_final`` when trying again would not help."""

    answer: str
    is_sent: bool = False
    is_final: bool = False


class NotSent(Exception):
    """It was not sent; ``is_final`` when trying again would not help."""

    def __init__(self, words: str, *, is_final: bool = False) -> None:
        super().__init__(words)
        self.is_final = is_final


def new_secret() -> str:
    """A signing secret as Standard Webhooks has them: ``whsec_`` and 32 random bytes, base64."""
    return SECRET + base64.b64encode(secrets.token_bytes(32)).decode()


def key_of(secret: str) -> bytes:
    """The bytes to sign with; raises ValueError."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET), validate=True)
    except binascii.Error as error:
        raise ValueError("A secret is whsec_ and base64.") from error
    if not 24 <= len(key) <= 64:
        raise ValueError("A secret has 24 to 64 bytes, as base64.")
    return key


def parse(address: str) -> SplitResult:
    """The parts of a webhook's address; raises ValueError in words."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError("This is no address that can be read.") from error
    if parts.scheme not in ("https", "http") or not host:
        raise ValueError("An address begins with https:// and names a host.")
    if not re.fullmatch(r"[!-~]{1,2000}", address) or "\\" in address:
        raise ValueError("An address has printable ASCII alone, without spaces.")
    if parts.username is not None or parts.password is not None:
        raise ValueError("Leave user and password out of the address.")
    if port == 0 or port in targets.REDIS_PORTS:
        raise ValueError(f"Nothing is sent to port {port}: Redis listens there.")
    return parts


async def send(rule: Rule, delivery: Delivery) -> Outcome:
    """Try once, after ``targets.look()``. Never raises for what the other side does."""
    try:
        async with asyncio.timeout(SECONDS):
            if rule.kind == Kind.MAIL:
                return await asyncio.to_thread(_mail, rule, delivery)
            return await _post(rule, delivery)
    except NotSent as error:
        return Outcome(str(error), is_final=error.is_final)
    except TimeoutError:
        return Outcome(f"No answer within {SECONDS:.0f} s")
    except ssl.SSLCertVerificationError as error:
        return Outcome(f"Its certificate was not accepted: {error.verify_message}")
    except socket.gaierror:
        return Outcome("Its name has no address")
    except OSError as error:
        return Outcome(f"Not reached: {error.strerror or error}"[:300])


def _mail(rule: Rule, delivery: Delivery) -> Outcome:
    if not settings.EMAIL_IS_SET:
        raise NotSent("This console has no mail server: EMAIL_URL is not set")
    to = [one for one in rule.secret()["address"].split(",") if one]
    subject = weighing.clean(f"[{rule.server.name}] {delivery.title}")
    headers = {"Message-ID": f"<{delivery.pk}@redisops>", "Auto-Submitted": "auto-generated"}
    text = "\n".join(weighing.lines(delivery.body))
    EmailMessage(subject, text, settings.EMAIL_FROM, to, headers=headers).send()
    return Outcome("Taken by the mail server", is_sent=True)


async def _post(rule: Rule, delivery: Delivery) -> Outcome:
    known = rule.secret()
    body = body_of(rule, delivery)
    headers = {"Content-Type": "application/json", "User-Agent": "redisops"}
    if rule.kind == Kind.WEBHOOK:
        headers |= signed(str(delivery.pk), body, known["secret"])
    status, reason = await _exchange(parse(known["address"]), headers, body)
    said = f"Answered {status} {reason}".strip()
    if 200 <= status < 300:
        return Outcome(said, is_sent=True)
    raise NotSent(said, is_final=300 <= status < 500 and status not in _LATER)


def body_of(rule: Rule, delivery: Delivery) -> bytes:
    """What is posted: our JSON, or a text that Slack and those like it show."""
    if rule.kind == Kind.SLACK:
        text = "\n".join(weighing.lines(delivery.body))
        # Whoever writes names and reasons must not mention people or hide links.
        for raw, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
            text = text.replace(raw, safe)
        return json.dumps({"text": text}).encode()
    return json.dumps({"id": str(delivery.pk), **delivery.body}).encode()


def signed(id: str, body: bytes, secret: str, at: int | None = None) -> dict[str, str]:
    """The three headers by which a receiver knows who sent it, and when."""
    stamp = str(int(time.time()) if at is None else at)
    sum_ = hmac.digest(key_of(secret), b".".join([id.encode(), stamp.encode(), body]),
                       hashlib.sha256)  # fmt: skip
    return {
        "webhook-id": id, "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(sum_).decode()}",
    }  # fmt: skip


async def _exchange(parts: SplitResult, headers: dict[str, str], body: bytes) -> tuple[int, str]:
    """POST to the address that was checked, and read the first line of the answer."""
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    is_tls = parts.scheme == "https"
    try:
        # Without TLS it goes to the networks alone that this console was given.
        found = await asyncio.to_thread(targets.resolve, host, port, public=is_tls)
    except targets.Refused as error:
        raise NotSent(str(error), is_final=True) from error
    address, context = found[0], ssl.create_default_context() if is_tls else None
    reader, writer = await asyncio.open_connection(
        address, port, ssl=context, server_hostname=host if context else None, limit=MOST_HEAD
    )
    try:
        if not targets.pinned(writer.get_extra_info("peername"), address):
            raise NotSent("The connection ended at another address", is_final=True)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        shown = f"[{host}]" if ":" in host else host
        named = shown if parts.port is None else f"{shown}:{parts.port}"
        lines = [f"POST {target} HTTP/1.1", f"Host: {named}", "Connection: close",
                 f"Content-Length: {len(body)}",
                 *(f"{name}: {value}" for name, value in headers.items())]  # fmt: skip
        writer.write("\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + body)
        await writer.drain()
        try:
            line = await reader.readuntil(b"\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise NotSent("It answered nothing that is HTTP") from error
    finally:
        writer.transport.abort()
    first = _STATUS.match(line)
    if first is None:
        raise NotSent("It answered nothing that is HTTP")
    return int(first[1]), weighing.clean((first[2] or b"").decode("latin-1"))[:100]
