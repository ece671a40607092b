"""Somebody in front of a browser, and the emulator's pages in it."""

from __future__ import annotations

import threading
from typing import Any, Callable, Optional

from leak_watch import planted

from entra_emulator import EntraEmulator


class Desk:
    """A desktop with a browser, and somebody in front of it: who signs in, and how, is set by the test."""

    def __init__(self, entra: EntraEmulator) -> None:
        self.entra = entra
        self.ada = entra.add_user("ada", planted("password"))
        self.bob = entra.add_user("bob", planted("password-of-bob"))
        self.user: Any = self.ada
        self.how: dict[str, Any] = {}
        self.opened: list[str] = []
        self.results: list[Any] = []
        self.failures: list[BaseException] = []
        self._windows: list[threading.Thread] = []

    def open(self, url: str, *_: Any, **__: Any) -> bool:
        """What `webbrowser.open` is here."""
        self.opened.append(url)
        self._windows.append(threading.Thread(target=self._sign_in, args=(url, self.user, dict(self.how))))
        self._windows[-1].start()
        return True

    def _sign_in(self, url: str, user: Any, how: dict[str, Any]) -> None:
        try:
            self.results.append(self.entra.sign_in(url, user, **how))
        except Exception as error:  # noqa: BLE001 - kept for the test
            self.failures.append(error)

    def enter(self, _: str, user_code: str, __: Any) -> None:
        """A prompt callback: the person goes and enters the code."""
        self.opened.append(user_code)
        self.entra.enter_device_code(user_code, self.user, **self.how)

    @property
    def page(self) -> Any:
        """What the browser shows in the end."""
        self.wait()
        assert self.failures == []
        return self.results[-1].page

    def wait(self) -> None:
        """Until all windows are done."""
        for window in self._windows:
            window.join(20)


class Pauses(list[float]):
    """The pauses a credential made, in seconds, and what happens in them."""

    def __init__(self) -> None:
        super().__init__()
        self.then: dict[int, Callable[[], object]] = {}
        """What happens in which pause, counted from 1."""

    def make(self, seconds: float) -> None:
        self.append(seconds)
        self.then.get(len(self), lambda: None)()


def claims_of(token: str) -> dict[str, Any]:
    """What an access token says."""
    import jwt

    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def sent(entra: EntraEmulator, grant: str) -> list[Any]:
    """The forms of token requests of this kind."""
    return [one.form for one in entra.requests.to("token") if one.form.get("grant_type", "").endswith(grant)]


def username(token: str) -> Optional[str]:
    """Whose access token it is."""
    claims = claims_of(token)
    return claims.get("preferred_username") or claims.get("unique_name") or claims.get("upn")
