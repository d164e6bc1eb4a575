"""Static files under either way of serving Django."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import cast

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import FileResponse, HttpRequest
from whitenoise.middleware import WhiteNoiseMiddleware

PIECE = 256 * 1024
"""Bytes that are read at once: nearly every file is one piece."""


class StaticFilesMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]
    """WhiteNoise, whose answers are read in a thread under ASGI, a piece at a time.

    WhiteNoise answers with a plain iterator, of which Django says that it must read all of it
    first, once for each file.
    """

    @staticmethod
    def serve(static_file: object, request: HttpRequest) -> FileResponse:
        answer: FileResponse = WhiteNoiseMiddleware.serve(static_file, request)
        if isinstance(request, ASGIRequest):
            answer.block_size = PIECE
            # The file stays among what is closed with the answer.
            answer.streaming_content = _awaited(cast("Iterator[bytes]", answer.streaming_content))
        return answer


async def _awaited(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    following = sync_to_async(lambda: next(pieces, None), thread_sensitive=False)
    while (piece := await following()) is not None:
        yield piece
