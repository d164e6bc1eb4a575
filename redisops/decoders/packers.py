"""MessagePack and PHP from what was shown, with the types that the original has."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from redisops.codecs import optional
from redisops.decoders.notation import alike
from redisops.decoders.show import Named, Pairs, Raw
from redisops.decoders.writers import Unwritable, rebuilds, tree

msgpack: Any = optional("msgpack")

_WHOLE = re.compile(r"-?\d+")
_TIME = re.compile(r"seconds=(-?\d+), nanoseconds=(\d+)")
_ABSENT = object()


def number(token: str, like: Any = None) -> int | float:
    """The number that a token says: a float beside a float, else whole when it is written so.

    Raises Unwritable for digits that a double cannot keep.
    """
    if _WHOLE.fullmatch(token) and not isinstance(like, float):
        if len(token) > 20:
            raise Unwritable(f"{token[:40]} is more than 64 bits hold")
        return int(token)
    value = float(token)
    if math.isfinite(value) and Decimal(repr(value)) != Decimal(token):
        raise Unwritable(f"{token[:40]} has more digits than a double keeps")
    if math.isinf(value) and "inf" not in token.lower():
        raise Unwritable(f"{token[:40]} is more than a double holds")
    return value


class PackStyle(NamedTuple):
    """How the original is packed: ``like`` is its typed value, ``words`` what it keeps text as."""

    like: Any = _ABSENT
    words: Literal["str", "bin", "both"] = "str"
    single: bool = False  # floats of 32 bits
    old: bool = False  # the specification before str 8 and bin

    @property
    def packer(self) -> Any:
        return msgpack.Packer(
            use_bin_type=not self.old, use_single_float=self.single,
            unicode_errors="surrogateescape",
        )  # fmt: skip


class MessagePack:
    """What is shown does not tell str from bin: the original's value at the same place does."""

    usual = PackStyle()

    def read(self, text: str) -> Any:
        return tree(text)

    def style(self, inside: bytes, shown: str) -> PackStyle:
        like = msgpack.unpackb(
            inside, raw=False, strict_map_key=False, object_pairs_hook=Pairs,
            unicode_errors="surrogateescape",
        )  # fmt: skip
        kinds = {type(leaf) for leaf in _leaves(like)} & {str, bytes}
        words: Literal["str", "bin", "both"] = "both" if len(kinds) == 2 else "str"
        if kinds == {bytes}:
            words = "bin"
        reason, value = "", tree(shown)
        for single, old in itertools.product((False, True), repeat=2):
            style = PackStyle(like, words, single, old)
            try:
                if rebuilds(_packed(value, like, style, style.packer), inside):
                    return style
            except (Unwritable, ValueError, OverflowError, TypeError) as error:
                reason = str(error)
                continue
            reason = "this MessagePack is written in an unusual way (sizes of numbers or strings)"
        raise Unwritable(reason)

    def bytes(self, value: Any, style: PackStyle) -> bytes:
        if msgpack is None:
            raise Unwritable("MessagePack needs the package msgpack, which is not installed here")
        try:
            return b"".join(_packed(value, style.like, style, style.packer))
        except (ValueError, OverflowError, TypeError) as error:
            raise Unwritable(f"MessagePack cannot hold this: {error}") from None

    def same(self, shown: str, value: Any) -> bool:
        return alike(tree(shown), value, as_numbers=True)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for entry in value:
            yield from _leaves(entry)
    elif isinstance(value, Pairs):
        for pair in value.items:
            for entry in pair:
                yield from _leaves(entry)
    else:
        yield value


def _packed(value: Any, like: Any, style: PackStyle, packer: Any) -> Iterator[bytes]:
    match value:
        case list():
            yield packer.pack_array_header(len(value))
            same = isinstance(like, list) and len(like) == len(value)
            for entry, other in zip(value, like if same else [_ABSENT] * len(value), strict=True):
                yield from _packed(entry, other, style, packer)
        case Pairs(items, ""):
            yield packer.pack_map_header(len(items))
            named = _by_name(like)
            for key, entry in items:
                own, other = named.get(_name(key), (_ABSENT, _ABSENT))
                yield from _packed(key, own, style, packer)
                yield from _packed(entry, other, style, packer)
        case _:
            yield packer.pack(_leaf(value, like, style))


def _by_name(like: Any) -> dict[Any, tuple[Any, Any]]:
    if not isinstance(like, Pairs):
        return {}
    return {_name(key): (key, entry) for key, entry in like.items}


def _name(key: Any) -> Any:
    """A key as it is shown, for finding its original: text and numbers stay apart."""
    if isinstance(key, bytes):
        try:
            key = key.decode()
        except UnicodeDecodeError:
            return key
    if isinstance(key, Raw | int | float) and not isinstance(key, bool):
        return ("number", str(key))
    if type(key) is str and any("\udc80" <= letter <= "\udcff" for letter in key):
        return key.encode(errors="surrogateescape")
    return key if isinstance(key, str | bytes | bool | None) else ("other", repr(key))


def _leaf(value: Any, like: Any, style: PackStyle) -> Any:
    if isinstance(value, Raw):
        return number(value, like)
    if isinstance(value, bool | None):
        return value
    if isinstance(value, Named):
        return _extension(value)
    if not isinstance(value, str | bytes):
        raise Unwritable("MessagePack's maps have no name")
    kind = type(like) if isinstance(like, str | bytes) else None
    if kind is None:
        if style.words == "both":
            raise Unwritable(
                "the value holds both text and binary, and nothing says which of them "
                f"{str(value)[:40]!r} is to be: change entries, or add them by a program"
            )
        kind = (
            bytes if style.words == "bin" or (isinstance(value, bytes) and not style.old) else str
        )
    try:
        if kind is str:
            return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
        return value.encode() if isinstance(value, str) else value
    except UnicodeEncodeError:
        raise Unwritable("it holds half a surrogate pair, which UTF-8 cannot carry") from None


def _extension(value: Named) -> Any:
    if value.name == "Timestamp" and (found := _TIME.fullmatch(value.text)):
        return msgpack.Timestamp(int(found[1]), int(found[2]))
    name, _, digits = value.text.partition(" ")
    code = value.name.removeprefix("ext ")
    if name != "hex" or not _WHOLE.fullmatch(code):
        raise Unwritable(f"MessagePack has no {value.name}()")
    return msgpack.ExtType(int(code), bytes.fromhex(digits))


class Php:
    """PHP's serialize() of scalars, arrays and objects with public properties."""

    usual = None

    def read(self, text: str) -> Any:
        return tree(text)

    def style(self, inside: bytes, shown: str) -> None:
        if not rebuilds(_php(tree(shown)), inside):
            raise Unwritable("what is shown of this PHP value does not say all of it")

    def bytes(self, value: Any, style: None) -> bytes:
        return b"".join(_php(value))

    def same(self, shown: str, value: Any) -> bool:
        return alike(tree(shown), value, as_numbers=True)


def _php(value: Any) -> Iterator[bytes]:
    match value:
        case list():
            yield b"a:%d:{" % len(value)
            for position, entry in enumerate(value):
                yield b"i:%d;" % position
                yield from _php(entry)
            yield b"}"
        case Pairs(items, name):
            words = name.encode()
            yield (
                b'O:%d:"%s":%d:{' % (len(words), words, len(items))
                if name
                else (b"a:%d:{" % len(items))
            )
            for key, entry in items:
                if not isinstance(key, str | bytes) or (isinstance(key, Raw) and "." in key):
                    raise Unwritable("PHP's keys are whole numbers and text")
                yield from _php(key)
                yield from _php(entry)
            yield b"}"
        case _:
            yield _php_scalar(value)


def _php_scalar(value: Any) -> bytes:
    if isinstance(value, Raw):
        return _php_number(number(value))
    if isinstance(value, bool):
        return b"b:%d;" % value
    if value is None:
        return b"N;"
    if isinstance(value, str):
        try:
            value = value.encode()
        except UnicodeEncodeError:
            raise Unwritable("it holds half a surrogate pair, which UTF-8 cannot carry") from None
    if not isinstance(value, bytes):
        raise Unwritable("PHP has no word for this")
    return b's:%d:"%s";' % (len(value), value)


def _php_number(value: float) -> bytes:
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise Unwritable(f"{value} is more than PHP's 64 bits hold")
        return b"i:%d;" % value
    if not math.isfinite(value):
        return b"d:%s;" % (b"NAN" if math.isnan(value) else b"INF" if value > 0 else b"-INF")
    digits, _, exponent = repr(value).removesuffix(".0").partition("e")
    if exponent:
        digits = f"{digits if '.' in digits else digits + '.0'}E{int(exponent):+d}"
    return b"d:%s;" % digits.encode()
