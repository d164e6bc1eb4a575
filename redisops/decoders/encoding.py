"""The way back: edited text as bytes, written as the original was, or a refusal with the reason.

The rule that makes it safe: whatever is to write the new value must first rebuild the *old*
value's bytes from nothing but the text that was shown of it. What cannot is refused, and so is a
result that does not read back as the text that was given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redisops.decoders.budget import Budget, Limits, NotThis, Spent
from redisops.decoders.formats import FORMATS
from redisops.decoders.layers import LAYERS
from redisops.decoders.packers import MessagePack, Php
from redisops.decoders.wrapping import wrap
from redisops.decoders.writers import Hex, Json, Text, Unwritable, Writer
from redisops.errors import InvalidArgument, NotSupported

WRITERS: dict[str, Writer] = {
    "text": Text(), "hex": Hex(), "json": Json(), "msgpack": MessagePack(), "php": Php(),
}  # fmt: skip
_NEVER = {
    "protobuf": "Protocol Buffers carry field numbers only: without the schema the types are "
    "guesses, and a guess is not written back.",
    "java": "Java objects are shown, not written back: their class data do not fit into text.",
    "pickle": "A pickle is a program that its reader runs. It is shown, and never written.",
}


def encode(
    text: str, chain: Sequence[str] | str, original: bytes | None = None,
    limits: Limits | None = None,
) -> bytes:  # fmt: skip
    """The bytes whose decoding by ``chain`` shows ``text``; nothing is asked of Redis.

    ``chain`` is ``Decoded.chain`` or its names with commas, ``original`` the whole stored value:
    it settles what a text leaves open (JSON's spacing, MessagePack's str or bin, line ends, BOM,
    base64's alphabet). Without it a new value is written in each format's usual way. Line ends of
    ``text`` may be CR LF, as forms send them; they become those of the original.

    Numbers of any length in JSON, and 64-bit integers in MessagePack and PHP, are kept exactly.
    Raises NotSupported with a sentence when it cannot be done exactly, InvalidArgument for a
    chain with an unknown name.
    """
    names = chain.split(",") if isinstance(chain, str) else list(chain)
    *layers, form = names
    if any(name not in LAYERS for name in layers) or form not in FORMATS:
        raise InvalidArgument(
            f"{','.join(names)[:80]!r} is no chain of decoders with a format last"
        )
    if form in _NEVER:
        raise NotSupported(_NEVER[form])
    limits = limits or Limits()
    try:
        return _encode(text.replace("\r\n", "\n"), layers, form, original, limits)
    except (Unwritable, NotThis) as reason:
        words = str(reason)
        raise NotSupported(f"{words[:1].upper()}{words[1:]}") from None
    except Spent as reason:
        raise NotSupported(str(reason)) from None


def _encode(
    text: str, layers: list[str], form: str, original: bytes | None, limits: Limits
) -> bytes:
    opened: list[tuple[bytes | None, bytes | None]] = []  # each layer of the original, its inside
    inside = original
    for name in layers:
        was = inside
        inside = _open(name, was, limits) if was is not None else None
        opened.append((was, inside))
    write = WRITERS[form]
    style: Any = write.usual
    if inside is not None:
        shown = FORMATS[form](inside, Budget(limits))
        if shown.cut or len(inside) > limits.input:
            raise Unwritable("not all of the value is shown, so it cannot be written back")
        style = write.style(inside, shown.text)
    value = write.read(text)
    new = write.bytes(value, style)
    again = FORMATS[form](new, Budget(limits))
    if again.cut:
        raise Unwritable("the new value is too large to be shown in full afterwards")
    if not write.same(again.text, value):
        raise Unwritable("read back, the new value would not show what you typed")
    for name, (was, was_inside) in zip(reversed(layers), reversed(opened), strict=True):
        outside = wrap(name, new, was, was_inside)
        if _open(name, outside, limits) != new:
            raise Unwritable(f"{name} does not give back the same bytes")
        new = outside
    return new


def _open(name: str, data: bytes, limits: Limits) -> bytes:
    layer = LAYERS[name](data, Budget(limits))
    if layer.problem:
        raise Unwritable(layer.problem.rstrip("."))
    return layer.data
