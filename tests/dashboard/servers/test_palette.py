"""What the palette finds of a server by name: the areas' own, and pages the side does not list."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from dashboard.caching.namespaces.models import CachePolicy
from dashboard.servers import clients, finding
from dashboard.services.history.models import Followed
from redisops.connection import measure

pytestmark = pytest.mark.django_db


def test_services_caches_streams_and_pages_are_found_by_name(
    client_for, viewer, stranger, server, data
):
    Followed.objects.create(server=server, service="orders", epoch="e")
    CachePolicy.objects.create(server=server, namespace="shop-catalog")
    finding.learn(server, "stream", [b"orders:placed"])
    browser = client_for(viewer)

    def find(query, **options):
        return browser.get(f"/find/?q={query}&server=shop", **options).content.decode()

    page = find("orders")
    assert "/servers/shop/services/orders/" in page
    assert reverse("streams:show", args=["shop", b"orders:placed"]) in page
    assert reverse("caching:show", args=["shop", "shop-catalog"]) in find("catalog")
    assert reverse("caching:eviction", args=["shop"]) in find("evict")
    assert reverse("caching:advice", args=["shop"]) in find("ADVICE")
    assert "/services/orders/" not in find("nosuch")
    Followed.objects.bulk_create(
        Followed(server=server, service=f"many-{i}", epoch="e") for i in range(300)
    )
    with CaptureQueriesContext(connection) as queries, measure() as cost:
        find("many")
    assert sum("services_followed" in q["sql"] or "followed" in q["sql"] for q in queries) == 1
    assert cost.round_trips <= 6  # each area asks once, however many there are
    other = client_for(stranger).get("/find/?q=orders&server=shop").content.decode()
    assert "/servers/shop/" not in other


def test_a_password_that_does_not_open_takes_nothing_away(client_for, viewer, server):
    CachePolicy.objects.create(server=server, namespace="shop-catalog")
    type(server).objects.update(sealed={"password": "nonsense"})
    clients.forget_all()

    answer = client_for(viewer).get("/find/?q=catalog&server=shop")

    assert answer.status_code == 200
    assert reverse("caching:show", args=["shop", "shop-catalog"]) in answer.content.decode()
