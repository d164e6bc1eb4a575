"""What the tests of the bulk pages share: keys to act on, and how to ask for it."""

from __future__ import annotations

from django.http import HttpResponse
from django.test import Client

from dashboard.jobs import testing
from dashboard.jobs.models import Job
from dashboard.keys.bulk.models import KeyList
from tests.dashboard.keys.conftest import text_of

BULK = "/servers/shop/bulk/"
SHEET = {"HX-Request": "true", "HX-Target": "bulk-sheet"}
CARTS = "cart:eu:*"


def count(browser: Client, **told: object) -> KeyList:
    """Have keys counted to the end, as a worker would."""
    answer = browser.post(BULK, {"do": "delete", "match": CARTS, **told})
    assert answer.status_code == 302, text_of(answer)
    counted = KeyList.objects.latest("pk")
    testing.run(Job.objects.get(pk=counted.job_id))
    counted.refresh_from_db()
    return counted


def acts() -> list[Job]:
    """The jobs that change something."""
    return list(Job.objects.exclude(kind="keys.list"))


def page_of(key_list: KeyList, do: str = "delete") -> str:
    return f"{BULK}{key_list.pk}/?do={do}"


def act(browser: Client, key_list: KeyList, **told: object) -> HttpResponse:
    told = {"do": "delete", "keep": "on", "confirm": CARTS, **told}
    answer: HttpResponse = browser.post(f"{BULK}{key_list.pk}/", told)
    return answer
