"""Passwords and private keys at rest: AES-256-GCM, bound to the place they belong to.

``settings.ENCRYPTION_KEYS`` holds base64url keys of 256 bits, newest first. A sealed text names
the key that opens it, so that a key can be replaced while old texts still open; the context (row
and field) is authenticated, so that a text copied to another row or field does not open there.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

VERSION = "v1"
NONCE = 12


class SecretUnreadable(Exception):
    """A stored secret does not open: its key is gone, or the text was changed or moved."""


def seal(secret: str, context: str) -> str:
    """``secret`` encrypted with the newest key, to be opened with the same ``context`` only."""
    key_id, key = next(iter(_keys().items()))
    nonce = os.urandom(NONCE)
    sealed = AESGCM(key).encrypt(nonce, secret.encode(), _bound(context, key_id))
    return f"{VERSION}.{key_id}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"


def unseal(text: str, context: str) -> str:
    """The secret in ``text``; raises :class:`SecretUnreadable` with what would mend it."""
    version, _, rest = text.partition(".")
    key_id, _, body = rest.partition(".")
    key = _keys().get(key_id)
    if version != VERSION or not body:
        raise SecretUnreadable("The stored secret is damaged. Type it again.")
    if key is None:
        raise SecretUnreadable(
            f"The stored secret was encrypted with key {key_id}, which is not in "
            "REDISOPS_ENCRYPTION_KEYS any more. Add that key again, or type the secret again."
        )
    try:
        raw = base64.urlsafe_b64decode(body)
        return AESGCM(key).decrypt(raw[:NONCE], raw[NONCE:], _bound(context, key_id)).decode()
    except (InvalidTag, binascii.Error, ValueError) as error:
        raise SecretUnreadable(
            "The stored secret was changed or belongs to another server. Type it again."
        ) from error


def seal_bytes(data: bytes, context: str) -> bytes:
    """``data`` encrypted with the newest key: the key's id (4 bytes), a nonce, the sealed bytes."""
    key_id, key = next(iter(_keys().items()))
    nonce = os.urandom(NONCE)
    return bytes.fromhex(key_id) + nonce + AESGCM(key).encrypt(nonce, data, _bound(context, key_id))


def unseal_bytes(sealed: bytes, context: str) -> bytes:
    """What ``seal_bytes`` was given with the same ``context``; raises ``SecretUnreadable``."""
    key_id, nonce = sealed[:4].hex(), sealed[4 : 4 + NONCE]
    key = _keys().get(key_id)
    if key is None:
        raise SecretUnreadable(
            f"This was encrypted with key {key_id}, which is not in REDISOPS_ENCRYPTION_KEYS any "
            "more. Add that key again after the newer ones."
        )
    try:
        return AESGCM(key).decrypt(nonce, sealed[4 + NONCE :], _bound(context, key_id))
    except (InvalidTag, ValueError) as error:
        raise SecretUnreadable(
            "What was kept encrypted has been changed, or was moved here from another place."
        ) from error


def is_current(text: str) -> bool:
    """Whether the newest key sealed ``text``; if not, ``manage.py reseal`` renews it."""
    return text.split(".")[1:2] == [next(iter(_keys()))]


def is_current_bytes(sealed: bytes) -> bool:
    """The same for what ``seal_bytes`` made."""
    return sealed[:4].hex() == next(iter(_keys()))


def _keys() -> dict[str, bytes]:
    """The keys by their id, newest first."""
    keys = {}
    for text in settings.ENCRYPTION_KEYS:
        try:
            key = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != 32:
            raise ImproperlyConfigured(
                "REDISOPS_ENCRYPTION_KEYS: each key is 32 random bytes in base64url, as from "
                "openssl rand -base64 32 | tr '+/' '-_'"
            )
        keys[hashlib.sha256(b"redisops key id" + key).hexdigest()[:8]] = key
    return keys


def _bound(context: str, key_id: str) -> bytes:
    return f"{VERSION}.{key_id}.{context}".encode()
