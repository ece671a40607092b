"""A person with a browser, for tests that need none: it goes through the emulator's own pages over HTTP.

It keeps cookies, follows redirects, fills in forms and presses buttons, as the pages say. An answer for a program is
delivered as a browser would, but to this machine only.
"""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Callable, Dict, List, Mapping, Optional, Tuple, Union
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from ..directory.users import User
from ..journal.request_log import Fields
from ..sign_in.conversation import ANOTHER_ACCOUNT, OTP
from ..values.addresses import is_loopback

TIMEOUT = 30.0
"""Seconds that each request may take. A program that is slow to answer its redirect holds up a real browser too."""

_MOST_STEPS = 20
_LONGEST_PAGE = 4 << 20


class SignInError(Exception):
    """A sign-in came to no end that a program would learn of. The text says what the last page did."""

    def __init__(self, message: str, page: Page) -> None:
        super().__init__(message)
        self.page = page


@dataclass(frozen=True)
class Button:
    """A button: what it sends, and its id."""

    id: str
    name: str
    value: str = field(repr=False)


@dataclass(frozen=True)
class Form:
    """A form of a page."""

    action: str
    """An absolute URL."""
    method: str
    values: Mapping[str, str] = field(repr=False)
    """What its inputs hold already."""
    buttons: Tuple[Button, ...]


@dataclass(frozen=True)
class Page:
    """What a browser shows."""

    url: str
    """Without its query and fragment, which may hold codes."""
    status: int
    headers: Mapping[str, str] = field(repr=False)
    text: str = field(repr=False)
    texts: Mapping[str, str] = field(repr=False, default_factory=dict)
    """What the elements with an id say, by id; `h1` is the heading."""
    form: Optional[Form] = field(repr=False, default=None)

    @property
    def heading(self) -> str:
        """The text of the heading."""
        return self.texts.get("h1", "")

    @property
    def alert(self) -> str:
        """What the page complains about, if it does."""
        return self.texts.get("alert", "") or self.texts.get("error", "")


@dataclass(frozen=True)
class SignInResult:
    """The end of a sign-in: what was sent to the program, and what it answered."""

    redirect_uri: str
    fields: Fields
    """`code`, `state`, `error`, ... Its repr shows no secret."""
    page: Optional[Page]
    """The program's answer; None when nothing was sent."""


@dataclass(frozen=True)
class _Delivery:
    """An answer on its way to a program."""

    method: str
    url: str = field(repr=False)
    fields: Mapping[str, str] = field(repr=False)


class Browser:
    """A browser window. Made by `EntraEmulator.browser`.

    :param user: who sits in front of it.
    :param tls: trusts the emulator.
    :param own: whether a URL is the emulator's.
    :param port: of the emulator on this machine, by scheme; for names that name resolution would lead elsewhere.
    """

    def __init__(self, user: User, tls: ssl.SSLContext, own: Callable[[str], bool], port: Callable[[str], int]) -> None:
        self.user = user
        self._tls = tls
        self._own = own
        self._port = port
        self._cookies: Dict[str, str] = {}

    def sign_in(
        self,
        url: str,
        user: Optional[User] = None,
        *,
        password: Optional[str] = None,
        otp: str = OTP,
        deny: bool = False,
        deliver: bool = True,
        timeout: float = TIMEOUT,
    ) -> SignInResult:
        """Open the authorization URL of a program, do what the pages ask, and bring the answer to the program.

        Blocks until the program has answered: call it on another thread than the one that waits for the redirect.

        :param url: the authorization URL.
        :param user: who signs in. Default: the browser's user.
        :keyword password: what they type. Default: the right one.
        :keyword otp: the second factor they type, when asked.
        :keyword deny: cancel on the first page: that of the sign-in, or of the consent for who is signed in already.
        :keyword deliver: False keeps the answer: see `fields` of the result. It is never sent to other machines.
        :keyword timeout: seconds for each request.
        :raises SignInError: it ended on a page, not with a redirect.
        :raises OSError: the emulator or the program cannot be reached.
        """
        who = user or self.user
        reached = self._go("GET", url, {}, timeout)
        for _ in range(_MOST_STEPS):
            if isinstance(reached, _Delivery):
                return self._deliver(reached, deliver, timeout)
            form = reached.form
            if form is None:
                break
            if not self._own(form.action):
                return self._deliver(_Delivery("POST", form.action, form.values), deliver, timeout)
            if reached.alert:
                break
            if deny and "cancel" in {button.id for button in form.buttons}:
                reached = self._submit(form, {}, "cancel", timeout)
            else:
                reached = self._fill_in(reached, who, password, otp, deny, timeout)
        if isinstance(reached, _Delivery):
            return self._deliver(reached, deliver, timeout)
        raise _stuck(reached)

    def enter_device_code(
        self,
        user_code: str,
        user: Optional[User] = None,
        *,
        url: str,
        password: Optional[str] = None,
        otp: str = OTP,
        deny: bool = False,
        timeout: float = TIMEOUT,
    ) -> Page:
        """Enter the code of a program on the page for it, and do what the pages ask.

        :param user_code: the code, as the program shows it.
        :param user: who signs in. Default: the browser's user.
        :keyword url: the page, `verification_uri`.
        :keyword password: what they type. Default: the right one.
        :keyword otp: the second factor they type, when asked.
        :keyword deny: cancel.
        :keyword timeout: seconds for each request.
        :return: the last page.
        :raises SignInError: it did not come to an end, such as with a wrong code.
        """
        who = user or self.user
        reached = self._go("GET", url, {}, timeout)
        for _ in range(_MOST_STEPS):
            if isinstance(reached, _Delivery) or reached.form is None or reached.alert:
                break
            if "user_code" in reached.form.values:
                reached = self._submit(reached.form, {"user_code": user_code}, "go", timeout)
            else:
                reached = self._fill_in(reached, who, password, otp, deny, timeout)
        assert not isinstance(reached, _Delivery)  # device codes have no redirect URI
        if not {"finished", "declined"} & set(reached.texts):
            raise _stuck(reached)
        return reached

    def open(self, url: str, *, timeout: float = TIMEOUT) -> Page:
        """Open a page of the emulator, with the cookies so far.

        :raises SignInError: it leads away from the emulator.
        """
        reached = self._go("GET", url, {}, timeout)
        if isinstance(reached, _Delivery):
            place = _shown(reached.url)
            raise SignInError(f"the page leads to {place}", Page(place, 302, {}, ""))
        return reached

    # ---- a person's part ----

    def _fill_in(
        self, page: Page, who: User, password: Optional[str], otp: str, deny: bool, timeout: float
    ) -> Union[Page, _Delivery]:
        form = page.form
        assert form is not None
        ids = {button.id for button in form.buttons}
        if "account" in {button.name for button in form.buttons}:
            known = {button.value for button in form.buttons if button.name == "account"}
            choice = who.home_account_id if who.home_account_id in known else ANOTHER_ACCOUNT
            return self._send(form, {"account": choice}, timeout)
        if deny and "deny" in ids:
            return self._submit(form, {}, "deny", timeout)
        if "username" in form.values:
            typed = {"username": who.username, "password": who.password if password is None else password}
            return self._submit(form, typed, "go", timeout)
        if "otp" in form.values:
            return self._submit(form, {"otp": otp}, "go", timeout)
        if "accept" in ids:
            return self._submit(form, {}, "accept", timeout)
        raise _stuck(page)

    def _submit(self, form: Form, typed: Mapping[str, str], button: str, timeout: float) -> Union[Page, _Delivery]:
        pressed = next(one for one in form.buttons if one.id == button)
        sent = {pressed.name: pressed.value} if pressed.name else {}
        return self._send(form, {**typed, **sent}, timeout)

    def _send(self, form: Form, typed: Mapping[str, str], timeout: float) -> Union[Page, _Delivery]:
        return self._go("POST", form.action, {**form.values, **typed}, timeout)

    # ---- a browser's part ----

    def _go(self, method: str, url: str, fields: Mapping[str, str], timeout: float) -> Union[Page, _Delivery]:
        """Load a page of the emulator, following redirects until they lead elsewhere."""
        page = self._load(method, url, fields, timeout)
        for _ in range(_MOST_STEPS):
            location = page.headers.get("location")
            if page.status not in (302, 303) or location is None:
                return page
            target = urljoin(url, location)
            if not self._own(target):
                return _Delivery("GET", target, _answer_in(target))
            url = target
            page = self._load("GET", url, {}, timeout)
        raise SignInError("the pages redirect in a circle", page)

    def _deliver(self, delivery: _Delivery, deliver: bool, timeout: float) -> SignInResult:
        target = delivery.url.split("#")[0]
        parts = urlsplit(target)
        local = parts.scheme in ("http", "https") and is_loopback(parts.hostname or "")
        page = None
        if deliver and local:
            # A fragment stays in the browser, so the program's page is loaded without.
            page = self._load(delivery.method, target, delivery.fields if delivery.method == "POST" else {}, timeout)
        return SignInResult(_shown(target), Fields(delivery.fields.items()), page)

    def _load(self, method: str, url: str, fields: Mapping[str, str], timeout: float) -> Page:
        parts = urlsplit(url)
        host, port, own = parts.hostname or "", parts.port, self._own(url)
        if own and not is_loopback(host):
            host, port = "localhost", self._port(parts.scheme)
        connection = (
            http.client.HTTPSConnection(host, port, timeout=timeout, context=self._tls)
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=timeout)
        )
        headers = {"Accept": "text/html", "Host": parts.netloc, "Connection": "close"}
        if own and self._cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        body = None
        if method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode(fields)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read(_LONGEST_PAGE).decode("utf-8", "replace")
            received = {name.lower(): value for name, value in response.getheaders()}
            status = response.status
        finally:
            connection.close()
        if own and "set-cookie" in received:
            jar: SimpleCookie = SimpleCookie(received["set-cookie"])
            self._cookies.update({name: morsel.value for name, morsel in jar.items()})
        reader = _PageReader(url)
        reader.feed(text)
        reader.close()
        return Page(_shown(url), status, received, text, reader.texts, reader.form)

    def __repr__(self) -> str:
        return f"Browser(user={self.user.username!r})"


class _PageReader(HTMLParser):
    """Finds what a person would: the heading, texts with an id, and the form."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._inside: List[Tuple[str, str]] = []
        self._action = ""
        self._method = "get"
        self._values: Optional[Dict[str, str]] = None
        self._buttons: List[Button] = []
        self.texts: Dict[str, str] = {}
        self.form: Optional[Form] = None

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._action, self._method = urljoin(self._url, found.get("action", "")), found.get("method", "get")
            self._values, self._buttons = {}, []
        elif tag == "input" and self._values is not None and found.get("name"):
            self._values[found["name"]] = found.get("value", "")
        elif tag == "button" and self._values is not None:
            self._buttons.append(Button(found.get("id", ""), found.get("name", ""), found.get("value", "")))
        key = "h1" if tag == "h1" else found.get("id", "")
        if key and tag not in ("input", "form", "button"):
            self._inside.append((tag, key))
            self.texts[key] = ""

    def handle_data(self, data: str) -> None:
        for _, key in self._inside:
            self.texts[key] += data

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1][0] == tag:
            self._inside.pop()
        if tag == "form" and self._values is not None:
            self.form = Form(self._action, self._method, self._values, tuple(self._buttons))
            self._values = None


def _answer_in(url: str) -> Dict[str, str]:
    """The fields that a redirect carries, by query or by fragment."""
    parts = urlsplit(url)
    return dict(parse_qsl(parts.fragment or parts.query, keep_blank_values=True))


def _stuck(page: Page) -> SignInError:
    said = page.alert or page.heading or " ".join(page.text.split())[:200]
    return SignInError(f"the sign-in stopped at {page.url} (HTTP {page.status}): {said}", page)


def _shown(url: str) -> str:
    """`url` without what may be secret."""
    return url.split("?")[0].split("#")[0]
