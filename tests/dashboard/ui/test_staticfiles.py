"""Static files under ASGI."""

from __future__ import annotations

import warnings

from django.http import HttpResponse
from django.test import AsyncRequestFactory

from dashboard.ui.staticfiles import PIECE, StaticFilesMiddleware


async def test_a_file_is_read_in_pieces_and_closed_and_django_has_nothing_to_say(
    settings, tmp_path
):
    content = b"body { color: red }\n" * (PIECE // 8)
    (tmp_path / "large.css").write_bytes(content)
    settings.STATIC_ROOT = tmp_path
    settings.WHITENOISE_AUTOREFRESH = settings.WHITENOISE_USE_FINDERS = False
    middleware = StaticFilesMiddleware(lambda request: HttpResponse("not here", status=404))
    requests = AsyncRequestFactory()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer = middleware(requests.get("/static/large.css"))
        pieces = [piece async for piece in answer]
        answer.close()
        head = middleware(requests.head("/static/large.css"))
        assert [piece async for piece in head] == []

    assert b"".join(pieces) == content
    assert max(map(len, pieces)) == PIECE
    assert answer.file_to_stream is None or answer.file_to_stream.closed
    assert head["Content-Length"] == str(len(content))
    assert middleware(requests.get("/static/none.css")).status_code == 404
