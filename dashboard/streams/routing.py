"""The sockets of this area."""

from typing import Any

from django.urls import path, register_converter
from django.urls.converters import get_converters

from dashboard.streams.reading.tailing import TailConsumer


class _Bytes:
    """The same ``<key:key>`` as in pages' addresses; sockets may be loaded before these."""

    regex = r"[A-Za-z0-9_-]+"

    def to_python(self, value: str) -> bytes:
        from redisops import keys

        return keys.from_url(value)

    def to_url(self, value: bytes) -> str:
        from redisops import keys

        return keys.to_url(value)


if "streambytes" not in get_converters():
    register_converter(_Bytes, "streambytes")
tail: Any = TailConsumer.as_asgi()
_PLACE = "ws/servers/<slug:slug>/streams/<streambytes:key>/tail/<int:cap>/"
urlpatterns: list[Any] = [
    path(_PLACE, tail),
    path(_PLACE + "<streambytes:filter>/", tail),
]
