"""TLS to a server: verification on unless it is turned off by name."""

from __future__ import annotations

import functools
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

from redisops.errors import InvalidArgument

NO_TLS_ANSWER = "the TLS handshake was not answered in time: does this port speak TLS?"


@dataclass(frozen=True)
class TLS:
    """How to verify the server and, for mutual TLS, who we are.

    ``ca``, ``certificate`` and ``key`` are each a path or PEM text. Without ``ca`` the
    system's authorities are trusted. ``server_name`` is the name that the certificate must
    carry when it is not the host of the URL. ``verify=False`` accepts any certificate: the
    connection is then encrypted, but not protected from someone in the middle.
    """

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    key_password: str | None = None
    verify: bool = True
    server_name: str | None = None

    def __repr__(self) -> str:  # PEM text of a key may be in here
        parts = [name for name in ("ca", "certificate", "key") if getattr(self, name)]
        return f"TLS(verify={self.verify}, with {', '.join(parts) or 'the system authorities'})"

    def context(self) -> ssl.SSLContext:
        """The context for connecting, built once per distinct options."""
        return _context(self)


@functools.lru_cache(maxsize=256)
def _context(tls: TLS) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context()
        if tls.ca is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            if _is_pem(tls.ca):
                context.load_verify_locations(cadata=tls.ca)
            else:
                context.load_verify_locations(cafile=tls.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls.certificate is not None:
            _load_own(context, tls)
    except (OSError, ValueError) as error:
        raise InvalidArgument(f"the TLS material is not usable: {error}") from error
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _load_own(context: ssl.SSLContext, tls: TLS) -> None:
    certificate, key = tls.certificate or "", tls.key
    password = tls.key_password or ""  # "" rather than None: OpenSSL must never ask the terminal
    if not _is_pem(certificate) and not (key and _is_pem(key)):
        context.load_cert_chain(certificate, key, password)
        return
    # ssl reads a chain from files only: a directory of ours, removed at once.
    with tempfile.TemporaryDirectory(prefix="redisops-") as name:
        pem = Path(name) / "own.pem"
        pem.touch(mode=0o600)
        pem.write_text("\n".join(_text(part) for part in (certificate, key) if part))
        context.load_cert_chain(pem, None, password)


def _is_pem(text: str) -> bool:
    return "-----BEGIN" in text


def _text(path_or_pem: str) -> str:
    return path_or_pem if _is_pem(path_or_pem) else Path(path_or_pem).read_text()
