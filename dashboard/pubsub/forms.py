"""What a person publishes."""

from __future__ import annotations

from typing import Any

from django import forms

from dashboard.pubsub.wanted import LONGEST, is_own
from dashboard.servers.models import Server
from redisops import keys
from redisops.errors import InvalidArgument

MOST_BYTES = 1024 * 1024
WAYS = {"text": "Text", "escaped": "Bytes, \\xNN", "hex": "Hex"}


class PublishForm(forms.Form):
    """A channel as it is shown (``\\xNN`` for odd bytes), and a message as text or as bytes."""

    channel = forms.CharField(max_length=4 * LONGEST, strip=False)
    message = forms.CharField(required=False, strip=False, max_length=4 * MOST_BYTES)
    way = forms.ChoiceField(choices=list(WAYS.items()), required=False)
    sharded = forms.BooleanField(required=False)

    def __init__(self, server: Server, data: Any = None) -> None:
        super().__init__(data)
        self.server = server
        self.data_bytes = b""

    def clean_channel(self) -> bytes:
        name = keys.from_printable(self.cleaned_data["channel"])
        if len(name) > LONGEST:
            raise forms.ValidationError(f"A channel is at most {LONGEST:,} bytes here.")
        if is_own(self.server, name):
            raise forms.ValidationError(
                "This channel is the console's own: nobody publishes there by hand."
            )
        return name

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        text, way = given.get("message", ""), given.get("way") or "text"
        try:
            self.data_bytes = _bytes(text.replace("\r\n", "\n"), way)
        except (ValueError, InvalidArgument) as error:
            self.add_error("message", f"This is not {WAYS[way]}: {error}.")
        if len(self.data_bytes) > MOST_BYTES:
            self.add_error("message", "A message is at most 1 MiB here.")
        return given


def _bytes(text: str, way: str) -> bytes:
    if way == "hex":
        return bytes.fromhex(text)
    if way == "escaped":
        return keys.from_printable(text)
    return text.encode("utf-8", "surrogatepass")
