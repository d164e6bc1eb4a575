"""The keys of limits."""

from __future__ import annotations

import hashlib

from redisops.errors import InvalidArgument
from redisops.limits.model import Limit

LONGEST = 200  # bytes; a longer subject is named by its hash


class Keys:
    """``<prefix>{<policy>:<subject>}:<suffix>``.

    With a ``tag``, ``<prefix>{<tag>}:<policy>:<subject>:<suffix>``: all keys are in one slot of a
    cluster. The suffix is that of the algorithm's
    kind of state, so that a change of algorithm meets no key of another type; the three buckets
    share theirs. A subject above 200 bytes is named by its BLAKE2b hash and the suffix by a
    ``#``, so that no subject can pass for another's hash.
    """

    def __init__(self, prefix: str, tag: str = "") -> None:
        if not tag.isprintable() or set(tag) & set("{}"):
            raise InvalidArgument(f'the tag {tag!r} has a "{{", "}}" or control character in it')
        self.start = (f"{prefix}{{{tag}}}:" if tag else f"{prefix}{{").encode()
        self.close = b"" if tag else b"}"

    def of(self, limit: Limit, subject: str | bytes) -> bytes:
        """The key of one subject; raises InvalidArgument for what is neither str nor bytes."""
        if type(subject) is str:
            try:
                subject = subject.encode()
            except UnicodeEncodeError:
                subject = str(subject).encode("utf-8", "surrogatepass")
        elif type(subject) is not bytes:
            raise InvalidArgument(f"the subject {subject!r:.80} is neither str nor bytes")
        label, suffix = limit.label
        if len(subject) > LONGEST:
            subject = hashlib.blake2b(subject, digest_size=16).hexdigest().encode()
            suffix = b"#" + suffix[1:]
        return b"".join((self.start, label, subject, self.close, suffix))
