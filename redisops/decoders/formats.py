"""Formats that are shown: JSON, MessagePack, Protocol Buffers, PHP, Java, pickle, text, hex.

Each takes bytes and a budget and returns a :class:`Shown`, or raises :class:`NotThis` with the
reason. None of them runs anything that the bytes say: no class is imported, no object built,
pickles are listed opcode by opcode.
"""

from __future__ import annotations

import json as stdlib_json
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from redisops.codecs import optional
from redisops.decoders.budget import Budget, MeteredBytes, MeteredFile, NotThis
from redisops.decoders.show import Named, Pairs, Raw, safe, show

msgpack_package = optional("msgpack")

Language = Literal["json", "text", "hex", "disassembly"]


@dataclass(frozen=True, slots=True)
class Shown:
    """Text for people. ``value`` is the parsed value where there is one, for detection."""

    text: str
    language: Language
    note: str = ""
    cut: bool = False
    value: Any = None


def _shown(value: Any, budget: Budget, note: str = "") -> Shown:
    text = show(value, budget)
    notes = [note]
    if text.deep:
        notes.append(f"Deeper than {budget.limits.depth} levels is left out.")
    return Shown(text.text, "json", " ".join(filter(None, notes)), text.full or text.deep, value)


def text(data: bytes, budget: Budget) -> Shown:
    """UTF-8, strictly. Characters that a page cannot show as they are become escapes."""
    try:
        words = data.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError as error:
        raise NotThis(f"not UTF-8 text: {error.reason} at byte {error.start:,}") from None
    room = budget.limits.text
    notes = ["It starts with a byte order mark."] if data[:3] == b"\xef\xbb\xbf" else []
    if "\r\n" in words:
        notes.append("Lines end in CR LF.")
        words = words.replace("\r\n", "\n")
    shown, escapes = safe(words[:room])
    if escapes:
        one = "One character that cannot be seen is" if escapes == 1 else ""
        notes.append(f"{one or f'{escapes:,} characters that cannot be seen are'} shown as \\u….")
    return Shown(shown[:room], "text", " ".join(notes), max(len(words), len(shown)) > room)


def json(data: bytes, budget: Budget) -> Shown:
    """JSON, indented. Numbers stay as written, of any length; repeated names stay, too."""
    try:
        words = data.decode("utf-8-sig")
        value = stdlib_json.loads(
            words, parse_int=Raw, parse_float=Raw, parse_constant=Raw, object_pairs_hook=Pairs
        )
    except UnicodeDecodeError as error:
        raise NotThis(f"not JSON: {error.reason} at byte {error.start:,}") from None
    except stdlib_json.JSONDecodeError as error:
        raise NotThis(f"not JSON: {error}") from None
    except RecursionError:
        raise NotThis("not shown as JSON: it is nested too deeply") from None
    return _shown(value, budget)


def msgpack(data: bytes, budget: Budget) -> Shown:
    """One MessagePack value that fills the bytes."""
    if msgpack_package is None:
        raise NotThis("MessagePack needs the package msgpack, which is not installed here")
    if not data:
        raise NotThis("not MessagePack: it is empty")
    try:
        value = msgpack_package.unpackb(
            data, raw=True, strict_map_key=False, object_pairs_hook=Pairs, ext_hook=_extension
        )
    except (ValueError, RecursionError, OverflowError, MemoryError) as error:
        words = "data follow the value" if "extra" in str(error).lower() else str(error)
        raise NotThis(f"not MessagePack: {words or type(error).__name__}") from None
    return _shown(value, budget)


def _extension(code: int, data: bytes) -> Named:
    return Named(f"ext {code}", f"hex {data.hex()}")


def protobuf(data: bytes, budget: Budget) -> Shown:
    """Protocol Buffers without a schema: field numbers, and types as they can be guessed.

    bbpb guesses by trying, which doubles with each level of a hostile message; the metered
    bytes stop it.
    """
    try:
        import blackboxprotobuf
    except ImportError:
        raise NotThis("Protocol Buffers need the package bbpb, which is not installed") from None
    if not data:
        raise NotThis("not Protocol Buffers: it is empty")
    try:
        value, _ = blackboxprotobuf.decode_message(
            MeteredBytes.of(data, budget), config=blackboxprotobuf.lib.config.Config()
        )
    except Exception as error:
        _not("Protocol Buffers", error)
    return _shown(_plain(value), budget, "Types are guessed: the bytes carry field numbers alone.")


def _plain(value: Any) -> Any:
    """bbpb's dictionaries and metered bytes as what `show` knows. Its depth is Python's own."""
    if isinstance(value, dict):
        return Pairs([(Raw(key), _plain(entry)) for key, entry in value.items()])
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return bytes(value) if isinstance(value, bytes) else value


def php(data: bytes, budget: Budget) -> Shown:
    """PHP's serialize(): arrays and objects by name; no class is looked for."""
    try:
        import phpserialize
    except ImportError:
        raise NotThis("PHP needs the package phpserialize, which is not installed here") from None
    file = MeteredFile(data, budget)
    try:
        value = phpserialize.load(
            file,
            array_hook=_php_array,
            object_hook=lambda name, fields: Pairs(
                [(_php_name(key), entry) for key, entry in fields.items()],
                name=name.decode(errors="backslashreplace"),
            ),
        )
    except Exception as error:
        _not("PHP", error)
    if file.tell() != len(data):
        raise NotThis("not PHP: data follow the value")
    return _shown(value, budget)


def _php_array(pairs: list[tuple[Any, Any]]) -> Any:
    """A PHP array with keys 0, 1, 2 … is a list to people."""
    if [key for key, _ in pairs] == list(range(len(pairs))):
        return [entry for _, entry in pairs]
    return Pairs(pairs)


def _php_name(name: Any) -> Any:
    """PHP writes ``\\0*\\0x`` for a protected and ``\\0Class\\0x`` for a private property."""
    if isinstance(name, bytes) and name.startswith(b"\0") and name.count(b"\0") >= 2:
        owner, _, bare = name[1:].partition(b"\0")
        words = "protected" if owner == b"*" else f"private in {owner.decode(errors='replace')}"
        return Raw(f'"{bare.decode(errors="replace")}" ({words})')
    return name


def pickle(data: bytes, budget: Budget) -> Shown:
    """A pickle's opcodes, one a line. It is listed, never loaded: loading could run anything."""
    lines: list[str] = []
    room = budget.limits.text
    used, note, depth = 0, "", 0
    names: list[str] = []
    strings: list[str] = []
    file = MeteredFile(data, budget)
    stopped = False
    try:
        for opcode, argument, position in pickletools.genops(file):
            budget.spend()
            words = "" if argument is None else f" {_argument(argument)}"
            if opcode.name in ("TUPLE", "LIST", "DICT", "SETITEMS", "APPENDS", "BUILD", "POP_MARK"):
                depth = max(0, depth - 1)
            line = f"{position or 0:6}  {'  ' * min(depth, 20)}{opcode.name}{words}"
            depth += opcode.name == "MARK"
            if opcode.name in ("GLOBAL", "INST"):
                names.append(str(argument).replace(" ", "."))
            elif opcode.name == "STACK_GLOBAL":
                names.append(".".join(strings[-2:]) or "a computed name")
            elif isinstance(argument, str):
                strings.append(argument)
            lines.append(line)
            used += len(line) + 1
            if used > room:
                break
        else:
            stopped = True
    except Exception as error:
        if len(lines) < 2:
            _not("a pickle", error)
        note = f"The pickle breaks off: {_sentence(error)}."
    if stopped and file.tell() < len(data):
        note = f"{len(data) - file.tell():,} bytes follow the pickle."
    if names:
        unique = ", ".join(dict.fromkeys(safe(name[:80])[0] for name in names[:12]))
        note = f"Loading it would call on {unique}. {note}".strip()
    note = f"Listed, not loaded. {note}".strip()
    return Shown("\n".join(lines)[:room], "disassembly", note, used > room, stopped)


def _argument(argument: Any) -> str:
    if isinstance(argument, int) and argument.bit_length() > 14_000:
        return hex(argument)[:200]
    words = repr(argument[:400] if isinstance(argument, str | bytes | bytearray) else argument)
    return safe(words)[0]


def hex_(data: bytes, budget: Budget) -> Shown:
    """Offset, sixteen bytes, and the ASCII characters among them."""
    rows = max(1, budget.limits.text // 79)
    lines = []
    for start in range(0, min(len(data), rows * 16), 16):
        row = data[start : start + 16]
        pairs = row.hex(" ")
        pairs = f"{pairs[:23]}  {pairs[24:]}" if len(row) > 8 else pairs
        letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{start:08x}  {pairs:<48}  |{letters}|")
    return Shown("\n".join(lines), "hex", "", len(data) > rows * 16)


def _not(name: str, error: Exception) -> NoReturn:
    words = "it is nested too deeply" if isinstance(error, RecursionError) else _sentence(error)
    raise NotThis(f"not {name}: {words}") from None


def _sentence(error: Exception) -> str:
    """A parser's message in one short line; some of them quote the whole input."""
    words = " ".join(str(error).split()) or type(error).__name__
    return safe(words if len(words) <= 160 else f"{words[:159]}…")[0]


def java(data: bytes, budget: Budget) -> Shown:
    """Java's ObjectOutputStream: class names and fields; no class is looked for."""
    from redisops.decoders.java import read

    try:
        value = read(MeteredFile(data, budget))
    except ImportError:
        raise NotThis("Java needs the package javaobj-py3, which is not installed here") from None
    except Exception as error:
        _not("Java", error)
    return _shown(value, budget)


FORMATS: dict[str, Callable[[bytes, Budget], Shown]] = {
    "text": text,
    "json": json,
    "msgpack": msgpack,
    "protobuf": protobuf,
    "php": php,
    "java": java,
    "pickle": pickle,
    "hex": hex_,
}
