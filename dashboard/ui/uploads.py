"""No upload is larger than ``IMPORT_BYTES``: what follows is not even read from the body."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler, StopUpload

TOO_LARGE = "redisops.upload_too_large"
"""In ``request.META`` when an upload was cut off; the form is then empty."""
ROOM = 64 * 1024  # for the other fields of the form


class Bounded(FileUploadHandler):
    """Comes before those that keep the file. By the length that is told, and by what comes."""

    size = 0

    def handle_raw_input(
        self, input_data: Any, META: Any, content_length: int, boundary: Any, encoding: Any = None
    ) -> None:
        self.meta = META
        self.is_told_large = content_length > settings.IMPORT_BYTES + ROOM

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self.size += len(raw_data)
        if self.is_told_large or self.size > settings.IMPORT_BYTES:
            self.meta[TOO_LARGE] = True
            raise StopUpload(connection_reset=True)
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None
