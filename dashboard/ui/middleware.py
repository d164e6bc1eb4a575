"""What holds for every answer and every request of the console's own."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from dashboard.ui import answers

# Below it a token in a header is what counts, which no other site's page can send unseen.
API = "/api/"
SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
FOREIGN = ("cross-site", "same-site")


class FetchMetadataMiddleware:
    """Answers 403 to an unsafe request that the browser says comes from another site.

    A second lock beside the CSRF token: the browser sets ``Sec-Fetch-Site`` itself and no page
    can forge it. "same-site" is another port or a sibling host, so it counts as foreign too,
    unless its origin is trusted by name. Clients that are no browsers send no such header.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method not in SAFE and self.is_foreign(request):
            return answers.error(
                request,
                403,
                title="Another site sent this",
                sentence="The change was not made: it was sent by a page that is not this console.",
                next_step="Open the page here and do it again.",
                icon="shield-x",
            )
        return self.get_response(request)

    def is_foreign(self, request: HttpRequest) -> bool:
        if request.path_info.startswith(API):
            return False
        if request.headers.get("Sec-Fetch-Site", "") not in FOREIGN:
            return False
        origin = urlsplit(request.headers.get("Origin", ""))
        return f"{origin.scheme}://{origin.netloc}" not in settings.CSRF_TRUSTED_ORIGINS


class PrivateAnswersMiddleware:
    """No cache keeps a page, the browser's own included: it shows what one person may see now.

    Going back after signing out shows nothing, and never a fragment in place of its page.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.setdefault("Cache-Control", "no-store")
        patch_vary_headers(response, ["HX-Request"])
        return response
