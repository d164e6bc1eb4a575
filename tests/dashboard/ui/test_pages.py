"""The frame around every page, and its own pages."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from dashboard.ui import navigation, palette
from tests.dashboard.conftest import assert_valid_html


@pytest.fixture
def visit(owner, client_for):
    """A page of the frame itself, as the owner sees it: ``visit(path, **options)``."""
    browser = client_for(owner)
    return lambda path, **options: browser.get(path, **options)


def test_help_says_which_keys_do_what(visit):
    response = visit(reverse("ui:help"))

    assert_valid_html(response)
    assert b"Find a key, a page or a server" in response.content


@pytest.mark.parametrize(
    "landmark",
    ['class="skip" href="#main"', '<main id="main"', 'aria-label="Where you are"',
     'aria-label="Team"', 'name="csrf-token"', "data-clock", "htmx-config"],
)  # fmt: skip
def test_the_frame_has(visit, landmark):
    assert landmark in visit(reverse("ui:help")).content.decode()


def test_pages_need_a_sign_in(client_for):
    for name in ("ui:help", "ui:palette"):
        response = client_for(None).get(reverse(name))
        assert response.status_code == 302
        assert response["Location"].startswith(reverse("accounts:login"))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_chosen_theme_is_in_the_first_byte_of_the_next_page(owner, client_for, theme):
    browser = client_for(owner)

    answer = browser.post(reverse("ui:theme"), {"theme": theme, "next": "/audit/"})

    assert (answer.status_code, answer["Location"]) == (302, "/audit/")
    assert f'<html lang="en" data-bs-theme="{theme}">' in (
        browser.get(reverse("ui:help")).content.decode()
    )


def test_going_back_to_the_system_theme_forgets_the_choice(owner, client_for):
    browser = client_for(owner)
    browser.post(reverse("ui:theme"), {"theme": "dark"})

    browser.post(reverse("ui:theme"), {"theme": ""})

    assert '<html lang="en">' in browser.get(reverse("ui:help")).content.decode()


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "", "javascript:1"]
)
def test_the_theme_never_leads_elsewhere(owner, client_for, elsewhere):
    answer = client_for(owner).post(reverse("ui:theme"), {"theme": "dark", "next": elsewhere})

    assert answer["Location"] == "/"


def test_a_theme_from_a_cookie_is_one_of_two(visit, owner, client_for):
    browser = client_for(owner)
    browser.cookies["theme"] = '"><script>'

    assert "<script>" not in browser.get(reverse("ui:help")).content.decode()[:200]


def test_the_theme_is_not_changed_by_a_link(owner, client_for):
    assert client_for(owner).get(reverse("ui:theme"), {"theme": "dark"}).status_code == 405


# --- Navigation -----------------------------------------------------------------------------


def test_every_registered_page_has_an_address():
    for entry in navigation.entries():
        kwargs = {"slug": "shop"} if entry.per_server else {}
        assert reverse(entry.url_name, kwargs=kwargs)


def test_the_present_page_is_marked(visit):
    html = visit(reverse("audit:index")).content.decode()

    assert html.count('aria-current="page"') == 1
    assert f'href="{reverse("audit:index")}" aria-current="page"' in html


def test_letters_are_unique_and_wishes_are_kept(rf, owner):
    request = rf.get("/")
    request.user = owner

    links = [link for group in navigation.groups(request, None) for link in group.links]
    letters = [link.letter for link in links if link.letter]

    assert len(set(letters)) == len(letters)
    assert next(link.letter for link in links if link.label == "Audit") == "a"


def test_an_unknown_group_is_refused():
    with pytest.raises(ValueError, match="Observe, Govern, Operate, Team"):
        navigation.register(group="Other", label="X", icon="x", url_name="x:y")


def test_pages_of_a_server_are_listed_while_it_is_chosen(viewer, server, client_for):
    html = client_for(viewer).get(reverse("ui:palette"), {"server": server.slug}).content.decode()

    assert f'href="{reverse("servers:show", args=[server.slug])}"' in html
    assert "now </span>Shop" in html


def test_a_production_server_is_marked_three_times(viewer, server, client_for):
    server.environment = "production"
    server.save()

    html = client_for(viewer).get(reverse("ui:palette"), {"server": server.slug}).content.decode()

    assert '<body class="prod"' in html
    assert "now </span>Shop" in html
    assert html.count("prod-tag") >= 2


def test_a_stranger_is_not_told_that_a_server_exists(stranger, server, client_for):
    html = client_for(stranger).get(reverse("ui:palette"), {"server": server.slug}).content.decode()

    assert "Shop" not in html


# --- Palette --------------------------------------------------------------------------------

FRAGMENT = {"HX-Request": "true"}


@pytest.fixture
def provider(monkeypatch):
    """``provider(hits)``: the palette asks only this provider and that of the pages."""

    def put(*functions):
        monkeypatch.setattr(palette, "_providers", [palette.pages, *functions])

    return put


def test_the_palette_finds_pages_by_part_of_their_name(visit):
    response = visit(reverse("ui:palette"), query_params={"q": "aud"}, headers=FRAGMENT)

    assert_valid_html(response)
    html = response.content.decode()
    assert "<html" not in html
    assert f'href="{reverse("audit:index")}"' in html and "<mark>Aud</mark>it" in html


def test_without_javascript_the_palette_is_a_page_with_plain_links(visit):
    response = visit(reverse("ui:palette"), query_params={"q": "aud"})

    assert_valid_html(response)
    html = response.content.decode()
    assert 'role="option"' not in html.partition("<main")[2].partition("</main>")[0]
    assert 'value="aud"' in html


def test_a_provider_that_fails_leaves_the_others_answering(visit, provider):
    def broken(request, query):
        raise ConnectionError("away")

    provider(broken)

    assert b"Audit" in visit(reverse("ui:palette"), query_params={"q": "aud"}).content


def test_hits_are_text_and_bounded(visit, provider):
    hostile = palette.Hit("<script>x</script>", "/audit/", "Keys on shop", "<b>", mono=True)
    provider(lambda request, query: [hostile] * 100)

    html = visit(
        reverse("ui:palette"), query_params={"q": "<script>"}, headers=FRAGMENT
    ).content.decode()

    assert "<script>" not in html and "<b>" not in html
    assert html.count("Keys on shop") == 1
    assert html.count('role="option"') <= palette.LIMIT


def test_keys_come_first(visit, provider):
    provider(lambda request, query: [palette.Hit("audit:1", "/x/", "Keys on shop")])

    html = visit(
        reverse("ui:palette"), query_params={"q": "audit"}, headers=FRAGMENT
    ).content.decode()

    assert html.index("Keys on shop") < html.index("Go to")


def test_finding_nothing_says_how_to_find(visit):
    response = visit(reverse("ui:palette"), query_params={"q": "zzzz"}, headers=FRAGMENT)

    assert_valid_html(response)
    assert b"Nothing is called that" in response.content


# --- Where there is no page -----------------------------------------------------------------


def test_an_unknown_address_is_explained_in_the_frame(visit):
    response = visit("/no/such/page/")

    assert response.status_code == 404
    assert_valid_html(response)
    assert b"Nothing here" in response.content and b'id="side"' in response.content


def test_a_stranger_gets_the_words_without_the_frame(client_for):
    response = client_for(None).get("/no/such/page/")

    assert response.status_code == 404
    assert_valid_html(response)
    assert b'id="side"' not in response.content


def test_htmx_gets_the_words_into_the_main_part(visit):
    response = visit("/no/such/page/", headers=FRAGMENT)

    assert (response["HX-Retarget"], response.status_code) == ("#main", 404)
    assert b"<html" not in response.content


def test_an_api_client_gets_json(visit):
    response = visit("/no/such/page/", headers={"Accept": "application/json"})

    assert response.json()["error"] == "Nothing here"


def test_a_missing_right_is_named(operator, server, client_for):
    response = client_for(operator).get(reverse("servers:grants", args=[server.slug]))

    assert response.status_code == 403
    assert_valid_html(response)
    assert b"give or take roles" in response.content
    assert b"needs the role Admin" in response.content


def test_a_mistake_of_ours_has_a_page_that_needs_nothing(owner, client_for, monkeypatch):
    browser = client_for(owner)
    browser.raise_request_exception = False
    monkeypatch.setattr(palette, "search", lambda *_: 1 / 0)

    response = browser.get(reverse("ui:palette"))

    assert response.status_code == 500
    assert_valid_html(response)
    assert b"The console made a mistake" in response.content
    assert b"Traceback" not in response.content and b"ZeroDivision" not in response.content


def test_a_form_without_its_token_is_explained(owner, client_for):
    response = client_for(owner, enforce_csrf_checks=True).post(reverse("ui:theme"))

    assert response.status_code == 403
    assert b"The form is too old" in response.content


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Sec-Fetch-Site": "cross-site"}, 403), ({"Sec-Fetch-Site": "same-site"}, 403),
     ({"Sec-Fetch-Site": "same-origin"}, 302), ({"Sec-Fetch-Site": "none"}, 302), ({}, 302),
     ({"Sec-Fetch-Site": "same-site", "Origin": "https://trusted.example"}, 302),
     ({"Sec-Fetch-Site": "cross-site", "Origin": "null"}, 403)],
)  # fmt: skip
def test_what_another_site_sends_is_refused(owner, client_for, settings, headers, status):
    settings.CSRF_TRUSTED_ORIGINS = ["https://trusted.example"]

    response = client_for(owner).post(reverse("ui:theme"), {"theme": "dark"}, headers=headers)

    assert response.status_code == status


def test_another_site_may_link_here(visit):
    assert visit(reverse("ui:help"), headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


@pytest.mark.parametrize("path", ["/help/", "/no/such/page/", "/account/login/", "/static/none"])
def test_every_answer_carries_the_strict_policy(visit, path):
    policy = visit(path)["Content-Security-Policy"]

    assert "script-src 'self'" in policy and "style-src 'self'" in policy
    assert "unsafe" not in policy and "default-src 'none'" in policy


def test_the_frame_of_a_page_that_fails_twice_still_speaks(owner, client_for, monkeypatch):
    """The database goes away between the sign-in check and the frame's list of servers."""
    from django.db import OperationalError

    from dashboard.ui.context_processors import Frame

    def away(self):
        raise OperationalError("away")

    monkeypatch.setattr(Frame, "groups", property(away))
    browser: Client = client_for(owner)

    response = browser.get("/no/such/page/")

    assert response.status_code == 404
    assert b"Nothing here" in response.content


@pytest.mark.parametrize("path", ["/", "/servers/shop/", "/help/", "/users/", "/account/login/"])
def test_no_cache_keeps_what_one_person_saw(client_for, owner, server, path):
    for headers in ({}, {"HX-Request": "true"}):
        response = client_for(owner).get(path, headers=headers)

        assert "no-store" in response["Cache-Control"]
        assert "HX-Request" in response["Vary"]
