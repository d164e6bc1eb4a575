"""Names and values that have broken consoles: for every page, field, export and log line.

``NAMES`` are key names (field names, members, channels, client names …) and ``VALUES`` are
values, both bytes. ``SCRIPT`` is what must never run: pages that execute it set a global.
"""

from __future__ import annotations

import base64
import gzip
import json
import pickle
import zlib

SCRIPT = b"<script>window.pwned=1</script>"

NAMES: list[bytes] = [
    b"",
    b"-",
    b"--",
    b".",
    b"..",
    b"../../etc/passwd",
    b"/",
    b"//evil.example/x",
    b"\\",
    b"\\x41",
    b"a\\xffb",
    b"\\\\host\\share",
    b"*",
    b"?",
    b"[a]",
    b"[^a]*",
    b"h?llo*",
    b"\\*",
    b" ",
    b" leading",
    b"trailing ",
    b"two  spaces",
    b"tab\there",
    b"line\nbreak",
    b"cr\rreturn",
    b"crlf\r\nSet-Cookie: pwned=1",
    b"nul\x00byte",
    b"\x00",
    b"\x00\x01\x02\xff",
    b"\xff\xfe",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x92",
    b"caf\xc3\xa9",
    b"cafe\xcc\x81",
    "emoji 👩‍🚀🇳🇴".encode(),
    "العربية".encode(),
    "עברית:שלום".encode(),
    "\u202egnp.exe".encode(),
    "zero\u200bwidth".encode(),
    "\ufeffbom".encode(),
    "line\u2028separator".encode(),
    "Z̸̢̛̺̙̯̲̮͍̱̙͔̪̰̮̼̰ͅa̴l̵g̶o̷".encode(),
    SCRIPT,
    b'"><img src=x onerror=window.pwned=1>',
    b"'onmouseover='window.pwned=1",
    b"</textarea><svg/onload=window.pwned=1>",
    b"</title><script>window.pwned=1</script>",
    b"javascript:window.pwned=1",
    b"{{7*7}}",
    b"{% debug %}",
    b"${7*7}",
    b"%s%n%x",
    b"%00%2e%2e%2f",
    b"&amp;&lt;&#x27;",
    b"=cmd|' /C calc'!A0",
    b"+1+1",
    b"@SUM(1)",
    b"-1",
    b"'; DROP TABLE keys; --",
    b"{tag}:a",
    b"{}:b",
    b"a:b:c:d:e:f:g:h:i:j:k",
    b":",
    b"::",
    b"a::b",
    b":leading",
    b"trailing:",
    b"None",
    b"null",
    b"0",
    b"?match=*&type=string#top",
    b"a+b c%20d",
    b"k" * 1024,
    b"deep:" * 200 + b"end",
    bytes(range(256)),
    "ä".encode() * 600,
]


class _Canary:
    """Its pickle would create a file when loaded. It is only ever made, never loaded."""

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return (open, ("/tmp/redisops-canary-was-executed", "w"))


CANARY = "/tmp/redisops-canary-was-executed"
PICKLE = pickle.dumps(_Canary())


def _nested(opening: bytes, closing: bytes, levels: int) -> bytes:
    return opening * levels + closing * levels


def _doubling_protobuf(levels: int) -> bytes:
    """Each level holds the one below and a sibling of another shape: guessing doubles."""
    message = b"\x08\x01"
    for _ in range(levels):
        size = bytearray()
        left = len(message)
        while left > 127:
            size.append(left & 127 | 128)
            left >>= 7
        size.append(left)
        message = b"\x0a" + bytes(size) + message + b"\x0a\x02\x10\x01" + b"\x0a\x02\x18\x01"
    return message


VALUES: list[bytes] = [
    *NAMES,
    SCRIPT * 100,
    b"x" * 1024 * 1024,
    b"\xff" * 300_000,
    b"\x00" * 300_000,
    PICKLE,
    base64.b64encode(PICKLE),
    zlib.compress(PICKLE),
    pickle.dumps(2**20000),
    b"\x80\x04\x8a\x01" + b"\x00" * 10,
    b"\x80\x04" + b"(" * 5000 + b".",
    b"cos\nsystem\n(S'true'\ntR.",
    json.dumps({"id": 9007199254740993, "big": 2**200, "html": "<b>x</b>"}).encode(),
    b'{"a":1,"a":2}',
    b'{"n":' + b"9" * 100_000 + b"}",
    b'{"f":1e400,"g":0.1000000000000000055511151231257827}',
    b'"\\ud800"',
    b'{"\\u202e":"\\u0000"}',
    b"[NaN, Infinity, -Infinity]",
    b"{",
    b"[" * 100_000,
    _nested(b"[", b"]", 900),
    _nested(b'{"a":', b"}", 900),
    zlib.compress(b"\x00" * 20_000_000),
    gzip.compress(b"A" * 20_000_000, mtime=0),
    gzip.compress(b"one", mtime=0) + gzip.compress(b"two", mtime=0),
    zlib.compress(b"hello hello hello")[:-6],
    zlib.compress(zlib.compress(zlib.compress(zlib.compress(b"turtles")))),
    b"\x1f\x8b\x08",
    b"\x28\xb5\x2f\xfd" + b"\xff" * 40,
    b"\x04\x22\x4d\x18" + b"\xff" * 40,
    b"\xff\x06\x00\x00sNaPpY" + b"\xff" * 40,
    b"\xff\xff\xff\xff\x0f",
    b"\xac\xed\x00\x05",
    b"\xac\xed\x00\x05" + b"\x70" * 5000,
    b"\xac\xed\x00\x05" + b"sr\x00\x01A" + b"\x00" * 8 + b"\x02\x00\x00x" + b"q\x00\x7e\x00\x00",
    b"\xac\xed\x00\x05" + b"sr\x00\x01A" * 400,
    b"\xac\xed\x00\x05ur\x00\x02[I" + b"\x00" * 8 + b"\x02\x00\x00xp\x7f\xff\xff\xff",
    b"\xac\xed\x00\x05|\x7f\xff\xff\xff\xff\xff\xff\xff",
    b"a:1:{i:0;R:1;}",
    b"a:99999999999:{",
    b"a:1:{i:0;" * 3000,
    b's:99999999999999999999999:"x";',
    b's:-1:"abc";',
    b"i:" + b"9" * 5000 + b";",
    b'O:8:"stdClass":1:{s:4:"self";r:1;}',
    b"a:1:{a:0:{}i:1;}",
    b"\xdd\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\x91" * 5000 + b"\xc0",
    b"\x81\x90\x01",
    b"\xc7\x0c\x05" + b"\xff" * 12,
    _doubling_protobuf(18),
    b"\x0a\xff\xff\xff\xff\x0f",
    b"\xff" * 20_000 + b"\x01",
    b"HYLL" + b"\x00" * 40,
    b"\xff\xfe\x00\xd8",
    b"\xfe\xff\x00",
    b"\xef\xbb\xbf{}",
    b"AAAA" * 10_000,
    b"\x10{}",
    b"\x19\x28\xb5\x2f\xfd",
    b"\x2a{}",
]
