"""The console's own policies: what may be tuned of them, and what the console obeys."""

import dataclasses

import pytest
from django.core.management import call_command
from django.utils import timezone

from dashboard.limits.policies import protected
from dashboard.limits.policies.models import LimitPolicy
from dashboard.limits.publishing.document import document
from dashboard.servers import home
from dashboard.servers.models import HOME, Server
from demo.policies import DEFAULTS
from redisops.limits.document import Document
from redisops.limits.policies import Exemption, problems

ACCOUNT, ADDRESS, API = protected.defaults()
AT_HOME = Server(slug=HOME)


def fields(policy, server=AT_HOME):
    return [problem.field for problem in protected.problems(server, policy)]


def test_the_defaults_are_policies_and_within_their_bounds():
    for policy in protected.defaults():
        assert problems(policy) == []
        assert fields(policy) == []
        assert "cannot be turned off" in protected.why(policy.name)


@pytest.mark.parametrize(
    ("policy", "changed"),
    [
        (ACCOUNT, {"mode": "off"}),
        (ACCOUNT, {"mode": "shadow"}),
        (ACCOUNT, {"limit": 21}),
        (ACCOUNT, {"limit": 2}),
        (ACCOUNT, {"period": 299.0}),
        (ACCOUNT, {"subject": ("ip",)}),
        (ACCOUNT, {"algorithm": "fixed_window"}),
        (ACCOUNT, {"exempt": (Exemption("x", 4e9),)}),
        (ADDRESS, {"path": "/elsewhere"}),
        (ADDRESS, {"period": 86_401.0}),
        (ADDRESS, {"on_failure": "open"}),
        (API, {"service": "orders"}),
        (API, {"methods": ("GET",)}),
        (API, {"burst": 1}),
        (API, {"cost": 11}),
    ],
)
def test_what_would_leave_the_console_open_is_refused_and_not_obeyed(policy, changed):
    weak = dataclasses.replace(policy, **changed)

    assert fields(weak) == list(changed)
    assert fields(weak, Server(slug="shop")) == []
    assert protected.safe(Document(1, (weak,))).policies == protected.defaults()


def test_what_is_tuned_within_bounds_is_obeyed():
    tuned = dataclasses.replace(ACCOUNT, limit=10, period=600.0)
    exempt = dataclasses.replace(ADDRESS, exempt=(Exemption("10.0.0.0", 4e9),))

    document = protected.safe(Document(4, (tuned, exempt)))

    assert document.policies == (tuned, exempt, API)
    assert document.version == 4


@pytest.mark.django_db
def test_they_are_seeded_once():
    call_command("seed_limits")
    row = LimitPolicy.objects.get(name=protected.ACCOUNT)
    assert row.as_policy().limit == 5
    row.body = {**row.body, "limit": 7}
    row.save()

    call_command("seed_limits")

    assert set(LimitPolicy.objects.values_list("name", flat=True)) == protected.NAMES
    assert LimitPolicy.objects.get(name=protected.ACCOUNT).as_policy().limit == 7


@pytest.mark.django_db
def test_the_shops_limits_are_on_home_when_the_shop_runs_and_stay_deleted(settings):
    settings.DEMO = True
    call_command("seed_limits")
    names = {policy.name for policy in DEFAULTS.policies}
    assert set(LimitPolicy.objects.values_list("name", flat=True)) == protected.NAMES | names
    LimitPolicy.objects.filter(name="shop-orders").update(archived=timezone.now())

    call_command("seed_limits")

    wanted = {policy.name for policy in document(home.ensure(), 1).policies}
    assert wanted == protected.NAMES | names - {"shop-orders"}
