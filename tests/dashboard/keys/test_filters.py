"""The filters of the key list go with it to whatever acts on these keys."""

from __future__ import annotations

import re
from collections.abc import Callable

import redis
from django.test import Client

from dashboard.accounts.models import User
from dashboard.jobs.models import Job
from dashboard.jobs.testing import run
from dashboard.keys.bulk.models import KeyList

BULK = "/servers/shop/bulk/"
SEARCH = "/servers/shop/search/"


def test_the_filters_of_the_list_are_those_of_the_dry_run(
    operator: User, client_for: Callable[..., Client], data: redis.Redis
) -> None:
    browser = client_for(operator)
    data.set("cart:eu:small", "x", ex=900)
    data.set("cart:eu:large", "x" * 5000, ex=900)
    filters = {"match": "cart:*", "size": "4097-16385", "ttl": "60-3600", "idle": "<3600"}
    listed = browser.get("/servers/shop/keys/", filters).content.decode()
    address = re.search(r'href="(/servers/shop/bulk/\?[^"]*size=[^"]*)"', listed)
    assert address
    form = browser.get(address[1].replace("&amp;", "&")).content.decode()
    assert '<option value="4097-16385" selected>4 KiB to 16 KiB</option>' in form

    browser.post(BULK, {"do": "delete", **filters})
    run(Job.objects.get(kind="keys.list"))
    counted = KeyList.objects.get()

    assert counted.total == 1 and counted.keys(0, 9) == [b"cart:eu:large"]
    assert "4 KiB to 16 KiB" in browser.get(f"{BULK}{counted.pk}/?do=delete").content.decode()
    assert browser.post(BULK, {"do": "delete", **filters, "size": "9-1"}).status_code == 422


def test_the_filters_of_the_list_are_those_of_the_search_in_values(
    viewer: User, client_for: Callable[..., Client], data: redis.Redis
) -> None:
    browser = client_for(viewer)
    for name, size, seconds in (("small", 10, 900), ("large", 5000, 900), ("long", 5000, 9000)):
        data.set(f"cart:eu:{name}", "x" * size, ex=seconds)
    filters = {"match": "cart:*", "size": "4097-16385", "ttl": "60-3600", "idle": "<3600"}
    listed = browser.get("/servers/shop/keys/", filters).content.decode()
    address = re.search(r'href="(/servers/shop/search/\?[^"]*size=[^"]*)"', listed)
    assert address
    form = browser.get(address[1].replace("&amp;", "&")).content.decode()
    for told in ("4097-16385", "60-3600", "&lt;3600"):
        assert f'<option value="{told}" selected>' in form
    assert ", expiry 1 min to 1 h, size 4 KiB to 16 KiB, last used under 1 h ago," in form

    def found(**changes: str) -> list[bytes]:
        asked = {"do": "start", "q": "contains x", "how": "auto", **filters, **changes}
        checked = browser.post(SEARCH, {**asked, "do": "check"}).content.decode()
        digest = re.findall(r'name="told" value="(\w+)"', checked)
        answer = browser.post(SEARCH, {**asked, "told": digest})
        assert answer.status_code == 302
        job = run(Job.objects.filter(kind="keys.search").latest("pk"))
        return KeyList.objects.get(pk=job.params["list"]).keys(0, 9)

    assert found() == [b"cart:eu:large"]
    assert found(idle=">=86400") == []
    assert found(match="cart:eu:long") == []  # one key by name passes the filters, too
    assert found(match="cart:eu:large", type="hash") == []
    assert browser.post(SEARCH, {"do": "start", **filters, "size": "9-1"}).status_code == 422
