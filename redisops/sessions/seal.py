"""Encryption and authentication of single values: AES-256-GCM, several keys at a time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from redisops.errors import InvalidArgument
from redisops.sessions.errors import SessionInvalid

VERSION = b"\x01"
PLACES = 1024  # derived keys that are kept
_KEY_ID = slice(1, 5)
_NONCE = slice(5, 17)
_BODY = slice(17, None)


class Seal:
    """Seals values so that they open only in the place they were sealed for.

    A *place* is a key name and a field name; both are authenticated, so that a sealed value
    moved to another key or field does not open. Every key name has an encryption key of its
    own, derived from the master key: random nonces stay safe however many sessions there are.
    A sealed value is ``version (1 byte) | key id (4) | nonce (12) | ciphertext and tag``,
    33 bytes longer than what it holds.
    """

    def __init__(self, keys: Sequence[bytes | str]) -> None:
        """``keys``: 32 bytes each (or their base64), newest first; older ones still open."""
        if not keys:
            raise InvalidArgument("a seal needs at least one key of 32 bytes")
        masters = [_key(key) for key in keys]
        self._by_id = {_key_id(master): master for master in reversed(masters)}
        self._newest = _key_id(masters[0])
        self._places: dict[bytes, Place] = {}

    def place(self, name: bytes) -> Place:
        """Everything below one key name; derive it once and use it for all the fields.

        The last ones are kept: who comes once comes again soon, and to derive a key costs as
        much as to open several fields.
        """
        places = self._places
        place = places.get(name)
        if place is None:
            place = Place(self._by_id, self._newest, name)
            if len(places) >= PLACES:
                self._places = places = {}  # replaced, not emptied: other threads may be in it
            places[name] = place
        return place


class Place:
    """Seals and opens the fields of one key."""

    def __init__(self, masters: dict[bytes, bytes], newest: bytes, name: bytes) -> None:
        self.name = name
        # The length keeps ("ab", "c") and ("a", "bc") apart.
        self._bound = len(name).to_bytes(4, "big") + name
        self._masters = masters
        self._newest = newest
        self._ciphers: dict[bytes, AESGCM] = {}
        self.head = VERSION + newest  # how a value that the newest key sealed begins
        self._decrypt: Callable[[bytes, bytes, bytes], bytes] | None = None
        self._encrypt: Callable[[bytes, bytes, bytes], bytes] | None = None

    def seal(self, field: bytes, value: bytes) -> bytes:
        """``value`` sealed with the newest key for this field of this key."""
        nonce = os.urandom(12)
        encrypt = self._encrypt
        if encrypt is None:
            encrypt = self._encrypt = self._cipher(self._newest).encrypt
        return self.head + nonce + encrypt(nonce, value, self._bound + field)

    def open(self, field: bytes, sealed: bytes) -> bytes:
        """What was sealed; SessionInvalid for anything else than what ``seal`` returned here."""
        if sealed[:5] == self.head:
            # All fields of a session come by here with each of its loads.
            decrypt = self._decrypt
            if decrypt is None:
                decrypt = self._decrypt = self._cipher(self._newest).decrypt
            try:
                return decrypt(sealed[5:17], sealed[17:], self._bound + field)
            except (InvalidTag, ValueError) as error:
                raise self._changed(field) from error
        key_id = bytes(sealed[_KEY_ID])
        if sealed[:1] != VERSION or key_id not in self._masters:
            raise SessionInvalid(f"field {field!r} of {self.name!r} is not sealed with a known key")
        try:
            return self._cipher(key_id).decrypt(sealed[_NONCE], sealed[_BODY], self._bound + field)
        except (InvalidTag, ValueError) as error:  # ValueError: a nonce cut short
            raise self._changed(field) from error

    def _changed(self, field: bytes) -> SessionInvalid:
        return SessionInvalid(f"field {field!r} of {self.name!r} was changed by somebody else")

    def _cipher(self, key_id: bytes) -> AESGCM:
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            derived = hashlib.blake2b(
                self.name, key=self._masters[key_id], digest_size=32, person=b"redisops.session"
            )
            cipher = self._ciphers[key_id] = AESGCM(derived.digest())
        return cipher


def _key(given: bytes | str) -> bytes:
    if isinstance(given, bytes) and len(given) == 32:
        return given
    text = given.decode("ascii", "replace") if isinstance(given, bytes) else given
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidArgument("an encryption key is 32 bytes, or their base64") from error
    if len(key) != 32:
        raise InvalidArgument(f"an encryption key is 32 bytes; this one is {len(key)}")
    return key


def _key_id(master: bytes) -> bytes:
    return hashlib.blake2b(master, digest_size=4, person=b"redisops.key-id").digest()
