"""The pages themselves: whether everybody can use them, and whether they are safe to show."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any, Callable, Dict, List, Optional, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entra_emulator import EntraEmulator, Page, SignInError
from entra_emulator.endpoints.pages import error_page, form_post_page, hidden_fields

VOID = {"meta", "input", "br", "link"}


class Outline(HTMLParser):
    """What matters of a page: is it well formed, what is labelled, what is focused, what does it load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: List[str] = []
        self.elements: List[Tuple[str, Dict[str, str]]] = []
        self.feed(text)
        self.close()
        assert self.open == [], "elements are left open"

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag} has an attribute twice"
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def all(self, tag: str) -> List[Dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def shown(browser: Any, *steps: Tuple[Dict[str, str], str]) -> Callable[[str], Page]:
    """Opens a page, and takes steps: what is typed, and the button that is pressed."""

    def go(url: str) -> Page:
        page: Page = browser.open(url)
        for typed, button in steps:
            assert page.form is not None
            page = browser._submit(page.form, typed, button, 10)
        return page

    return go


@pytest.fixture
def screens(entra: EntraEmulator, program: Any) -> Dict[str, Page]:
    """Every page there is, with hostile names in it."""
    evil = '"><script>alert(1)</script>'
    ada = entra.add_user("ada", "pw", mfa=True, display_name=evil)
    app = entra.add_app(evil, public=True, multi_tenant=True, redirect_uris=["http://localhost"])
    entra.add_resource("api://evil", scopes=["Read"], display_name=evil)
    url = program.authorize_url(client_id=app.client_id, scope="api://evil/Read offline_access openid")
    typed = {"username": ada.username, "password": "pw"}
    signed_in = entra.browser(ada)
    signed_in.sign_in(url, deliver=False)
    code = f"{entra.authority}/common/oauth2/v2.0/devicecode"

    def device() -> str:
        form = {"client_id": app.client_id, "scope": "api://evil/Read"}
        return str(program.client.post(code, data=form, timeout=10).json()["user_code"])

    login = f"{entra.authority}/devicelogin"
    consent = url.replace("select_account", "consent")
    with pytest.raises(SignInError) as stopped:
        entra.sign_in(url.replace("localhost%3A8400", f"x%3A1%2F{'%3Cscript%3E'}"), deliver=False)
    return {
        "password": entra.browser().open(url + f"&login_hint={evil}"),
        "wrong password": shown(entra.browser(), ({**typed, "password": evil}, "go"))(url),
        "otp": shown(entra.browser(), (typed, "go"))(url),
        "wrong otp": shown(entra.browser(), (typed, "go"), ({"otp": evil}, "go"))(url),
        "accounts": signed_in.open(url),
        "consent": signed_in.open(consent),
        "form_post": shown(signed_in, ({}, "accept"))(consent),
        "user code": entra.browser().open(login),
        "wrong user code": shown(entra.browser(), ({"user_code": evil}, "go"))(login),
        "finished": entra.enter_device_code(device(), ada),
        "declined": entra.enter_device_code(device(), ada, deny=True),
        "error": stopped.value.page,
        "signed out": signed_in.open(f"{entra.authority}/common/oauth2/v2.0/logout"),
    }


def test_every_page_is_usable(screens: Dict[str, Page]):
    """Each page is well formed, in a language, with one heading, and fits a phone."""
    for name, page in screens.items():
        outline = Outline(page.text)
        assert page.text.startswith("<!doctype html>\n"), name
        assert outline.all("html") == [{"lang": "en"}], name
        assert len(outline.all("h1")) == 1 == len(outline.all("main")) == len(outline.all("title")), name
        assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in outline.all("meta"), name
        assert "prefers-color-scheme: dark" in page.text and ":focus-visible" in page.text, name
        ids = [one["id"] for _, one in outline.elements if "id" in one]
        assert len(ids) == len(set(ids)), name


def test_every_input_has_a_label(screens: Dict[str, Page]):
    """Each visible input has a label, and at most one element has the focus at first."""
    seen = set()
    for name, page in screens.items():
        outline = Outline(page.text)
        labels = [one["for"] for one in outline.all("label")]
        visible = [one for one in outline.all("input") if one.get("type") != "hidden"]
        assert [one["id"] for one in visible] == labels, name
        assert all("autocomplete" in one for one in visible), name
        assert sum("autofocus" in one for _, one in outline.elements) == (
            1 if page.form and name != "form_post" else 0
        ), name
        seen.update(labels)
    assert seen == {"username", "password", "otp", "user_code"}


def test_buttons(screens: Dict[str, Page]):
    """Forms are sent by POST, and Enter presses the main button: it comes first."""
    first = {}
    for name, page in screens.items():
        outline = Outline(page.text)
        assert all(one["method"] == "post" for one in outline.all("form")), name
        if outline.all("button"):
            first[name] = outline.all("button")[0].get("id") or outline.all("button")[0]["name"]

    assert first == {
        "password": "go",
        "wrong password": "go",
        "otp": "go",
        "wrong otp": "go",
        "accounts": "account",
        "consent": "accept",
        "form_post": "continue",
        "user code": "go",
        "wrong user code": "go",
    }


def test_mistakes_are_announced(screens: Dict[str, Page]):
    """What went wrong is an alert, and belongs to the input."""
    for name in ("wrong password", "wrong otp", "wrong user code"):
        page = screens[name]
        assert page.alert, name
        assert '<p class="alert" id="alert" role="alert">' in page.text, name
        assert 'aria-describedby="alert" aria-invalid="true"' in page.text, name


def test_nothing_is_injected(screens: Dict[str, Page]):
    """Names from outside are text, never elements; the only script is the emulator's own."""
    scripts = {name: len(Outline(page.text).all("script")) for name, page in screens.items()}

    assert {name for name, count in scripts.items() if count} == {"form_post"}
    assert "&lt;script&gt;" in screens["consent"].text
    assert all("alert(1)</script>" not in page.text for page in screens.values())


def test_headers(screens: Dict[str, Page]):
    """Nothing may be loaded, framed, stored or told to other sites; forms go to the emulator and to the program."""
    for name, page in screens.items():
        policy = page.headers["content-security-policy"]
        nonce = re.search(r'<style nonce="([^"]+)">', page.text)
        assert nonce, name
        assert f"style-src 'nonce-{nonce.group(1)}'" in policy, name
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy, name
        assert page.headers["cache-control"] == "no-store", name
        assert page.headers["referrer-policy"] == "no-referrer", name
        assert page.headers["content-type"] == "text/html; charset=utf-8", name
    for name in ("password", "otp", "accounts", "consent", "form_post"):
        assert "form-action 'self' http://localhost:8400;" in screens[name].headers["content-security-policy"], name
    assert "form-action 'self';" in screens["user code"].headers["content-security-policy"]


def test_pages_use_nonces_once(entra: EntraEmulator, program: Any):
    """No two pages share a nonce."""
    policies = {entra.browser().open(program.authorize_url()).headers["content-security-policy"] for _ in range(3)}

    assert len(policies) == 3


def test_devices_are_confirmed(entra: EntraEmulator, program: Any):
    """Before a device gets anything, the page says which app it is for, and who signs in."""
    url = f"{entra.authority}/organizations/oauth2/v2.0/devicecode"
    said = program.client.post(url, data={"client_id": program.client_id, "scope": program.SCOPE}, timeout=10).json()
    typed = {"username": entra.user.username, "password": entra.user.password}
    page = shown(entra.browser(), ({"user_code": said["user_code"]}, "go"), (typed, "go"))(said["verification_uri"])

    assert page.heading == "Are you trying to sign in to Microsoft Azure CLI?"
    assert entra.user.username in page.text
    assert page.form is not None
    assert [one.id for one in page.form.buttons] == ["accept", "deny"]


@given(st.text(), st.text())
def test_any_text_survives(name: str, value: str):
    """Whatever is put into a page comes out as it was, and nothing else does."""
    [(tag, attributes)] = Outline(hidden_fields({name: value})).elements
    page = Outline(form_post_page("http://localhost:1", {name: value}, "n"))

    # HTML has no NUL, and its line ends are one character.
    if not set(name + value) & set("\0\r\n"):
        assert (tag, attributes) == ("input", {"type": "hidden", "name": name, "value": value})
    assert len(page.all("input")) == len(page.all("form")) == len(page.all("script")) == 1
    assert len(Outline(error_page(value, {name: value}, "n")).all("h1")) == 1
