"""The first steps of a connection check, below Redis: find the host, connect, encrypt."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass

from dashboard.servers import clients
from dashboard.servers.addresses import AddressRefused, permitted
from dashboard.servers.models import Server
from redisops.errors import RedisopsError

CONNECT_SECONDS = 1.0
LISTEN_SECONDS = 0.8
NO_TLS_HERE = {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNEXPECTED_EOF_WHILE_READING"}
# OpenSSL's verify codes, by what cures them.
UNKNOWN_AUTHORITY = {18, 19, 20, 21}
EXPIRED = {10}
OTHER_NAME = {62, 63, 64}


@dataclass(frozen=True)
class Finding:
    """One step: how it went (ok, warn, bad), what was seen, and what to do about it."""

    state: str
    step: str
    seen: str
    do: str = ""

    @property
    def is_ok(self) -> bool:
        return self.state == "ok"


def reach(host: str, port: int, server: Server) -> Finding:
    """One node: its name, its port, and whether what listens there speaks as configured."""
    try:
        addresses = permitted(host, port)
    except AddressRefused as error:
        return Finding("bad", "Reach it", str(error))
    except (OSError, UnicodeError) as error:
        return Finding(
            "bad",
            "Find the host",
            f'"{host}" has no address: {words(error)}.',
            "Check the spelling, and the resolver of the machine that the console runs on.",
        )
    shown = f"{host}:{port}"
    if addresses != [host]:
        shown += f" ({', '.join(addresses[:3])})"
    try:
        plain = socket.create_connection((addresses[0], port), timeout=CONNECT_SECONDS)
    except TimeoutError:
        return Finding(
            "bad",
            "Reach it",
            f"{shown} does not answer.",
            "The host is down, or a firewall drops the packets. Is the port right?",
        )
    except ConnectionRefusedError:
        return Finding(
            "bad",
            "Reach it",
            f"{shown} refuses the connection.",
            "The host is there, but nothing listens on this port: is Redis running, and bound to "
            "this address?",
        )
    except OSError as error:
        return Finding(
            "bad",
            "Reach it",
            f"{shown}: {words(error)}.",
            "Check the address and the network between.",
        )
    with plain:
        return _encrypt(plain, host, shown, server) if server.tls else _listen(plain, shown)


def _encrypt(plain: socket.socket, host: str, shown: str, server: Server) -> Finding:
    """The TLS handshake alone; says what is wrong with the certificate in plain words."""
    try:
        context = clients.options(server)["tls"].context()
        name = server.tls_server_name or host
        with context.wrap_socket(plain, server_hostname=name) as secure:
            good = "good" if server.tls_verify else "not verified"
            return Finding(
                "ok",
                "Reach it over TLS",
                f"{shown} speaks {secure.version()}; its certificate is {good}.",
            )
    except ssl.SSLCertVerificationError as error:
        seen = f"{shown}: {error.verify_message}."
        return Finding("bad", "Verify its certificate", seen, _cure(error))
    except ssl.SSLError as error:
        reason = error.reason or str(error)
        return Finding(
            "bad",
            "Encrypt",
            f"{shown}: {reason.replace('_', ' ').lower()}.",
            "This port does not speak TLS: turn TLS off, or use the server's tls-port."
            if reason in NO_TLS_HERE
            else "The two sides found no common TLS version or cipher.",
        )
    except OSError as error:
        return Finding(
            "bad",
            "Encrypt",
            f"{shown} hung up: {words(error)}.",
            "This port may not speak TLS, or it asks for a client certificate.",
        )
    except RedisopsError as error:
        return Finding("bad", "Read the certificates", f"{error}.")


def _cure(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in UNKNOWN_AUTHORITY:
        return "Its authority is not known here: paste the CA's certificate."
    if error.verify_code in EXPIRED:
        return "It has expired: renew it on the server."
    if error.verify_code in OTHER_NAME:
        return "It was made for another name: give that one as the name in the certificate."
    return "Compare the certificate with the CA that is given here."


def _listen(plain: socket.socket, shown: str) -> Finding:
    """Without TLS: does a Redis answer, or something that wants TLS, or no Redis at all?"""
    plain.settimeout(LISTEN_SECONDS)
    try:
        plain.sendall(b"PING\r\n")
        heard = plain.recv(64)
    except TimeoutError:
        return Finding(
            "bad",
            "Reach it",
            f"{shown} accepts the connection and says nothing.",
            "The process may be stopped, or this port wants TLS.",
        )
    except OSError:
        heard = b""
    if not heard or heard[:1] == b"\x15":  # a TLS alert
        return Finding(
            "bad",
            "Talk to it",
            f"{shown} hung up on the first word.",
            "This port may want TLS: turn TLS on.",
        )
    if heard[:1] not in b"+-":
        seen = f"{shown} is no Redis: it answered something else."
        return Finding("bad", "Talk to it", seen, "Check the port.")
    return Finding("ok", "Reach it", f"{shown} answers.")


def words(error: BaseException) -> str:
    """The system's own words, to stand inside a sentence."""
    return str(getattr(error, "strerror", None) or error).rstrip(".")
