"""The person in front of a program: reads what it shows, and signs in with a browser, here or on a phone."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Callable, List

from entra_emulator import EntraEmulator

_LOOK = 0.02
"""Seconds between two looks at the browser."""
_CODE = re.compile(r"\bcode ([A-Z0-9]{6,12})\b")


class Person:
    """Signs in as the emulator's default user, until the end of the `with` block.

    :param home: the person's home directory.
    """

    def __init__(self, entra: EntraEmulator, home: Path) -> None:
        self._entra = entra
        self._opened = home / "opened"
        self._script = home / "browser"
        self._gone = threading.Event()
        self._thread = threading.Thread(target=self._use_browser, daemon=True)
        self.problems: List[Exception] = []
        """What went wrong at that."""

    @property
    def browser(self) -> str:
        """What the variable BROWSER says: a program that notes the URL, in place of a window."""
        return f"{self._script} %s"

    def __enter__(self) -> Person:
        self._script.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$1\" >'{self._opened}'\n", encoding="utf-8")
        self._script.chmod(0o700)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._gone.set()
        self._thread.join()

    def read(self, line: str) -> None:
        """Do what a line on the screen says."""
        found = _CODE.search(line)
        if found is not None:
            self._try(lambda: self._entra.enter_device_code(found.group(1)))

    def _use_browser(self) -> None:
        while not self._gone.wait(_LOOK):
            url = self._opened.read_text(encoding="utf-8") if self._opened.exists() else ""
            if url.endswith("\n"):
                self._opened.unlink()
                self._try(lambda: self._entra.sign_in(url.strip()))  # noqa: B023 - called at once

    def _try(self, deed: Callable[[], object]) -> None:
        try:
            deed()
        except Exception as error:  # noqa: BLE001 - reported by `problems`
            self.problems.append(error)
