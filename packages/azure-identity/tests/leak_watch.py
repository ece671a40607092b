"""The planted-secret check: no test of this suite may make the library show a secret.

Secrets the tests use contain `MARK`. While a test runs, every log record of every logger is read, at DEBUG, with the
traceback it carries, and so is every exception that `pytest.raises` catches or that fails the test, with its causes. A
marker in any of them, or a JSON Web Token with its signature, fails the test.

`conftest.py` imports the fixture and the hook from here. `emulator/test_no_secret_is_shown.py` proves that they bite.
"""

from __future__ import annotations

import logging
import re
import traceback
from typing import Any, Generator, Iterator, Optional

import pytest

MARK = "PLANTED-SECRET"
"""Occurs in every secret of a test, and must occur nowhere else."""

_SIGNED_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}")


def planted(name: str) -> str:
    """A secret to give to the library."""
    return f"{MARK}-{name}-0123456789"


def shown_secret(text: str) -> Optional[str]:
    """The secret that a text shows, shortened; None if it shows none."""
    if MARK in text:
        return text[max(0, text.index(MARK) - 60) : text.index(MARK) + 60]
    found = _SIGNED_TOKEN.search(text)
    return found.group()[:40] + "..." if found else None


class Watch(logging.Handler):
    """Reads records and exceptions, and remembers what they showed."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
        self.found: list[str] = []
        self.read = 0

    def emit(self, record: logging.LogRecord) -> None:
        self._look("log record", self.format(record))

    def see(self, error: Optional[BaseException]) -> None:
        """Read an exception, and what lies behind it."""
        seen: set[int] = set()
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            self._look(f"{type(error).__name__}", f"{error}\n{error!r}")
            self._look(
                f"{type(error).__name__}'s traceback", "".join(traceback.format_exception_only(type(error), error))
            )
            error = error.__cause__ or error.__context__

    def _look(self, where: str, text: str) -> None:
        self.read += 1
        secret = shown_secret(text)
        if secret is not None:
            self.found.append(f"{where}: {secret!r}")


_watch = Watch()


@pytest.fixture(scope="session", autouse=True)
def _listen_at_debug() -> Iterator[None]:
    """Records below the level of their logger are made and read too, but reach nobody else: tests see what users do."""
    enabled, handle = logging.Logger.isEnabledFor, logging.Logger.handle
    seen_by_raises = pytest.ExceptionInfo.fill_unfilled

    def read_and_handle(self: logging.Logger, record: logging.LogRecord) -> None:
        _watch.emit(record)
        if enabled(self, record.levelno):
            handle(self, record)

    def fill_unfilled(self: Any, exc_info: Any) -> None:
        seen_by_raises(self, exc_info)
        _watch.see(exc_info[1])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.Logger, "isEnabledFor", lambda self, level: True)
        patch.setattr(logging.Logger, "handle", read_and_handle)
        patch.setattr(pytest.ExceptionInfo, "fill_unfilled", fill_unfilled)
        yield


@pytest.fixture(autouse=True)
def no_secret_is_shown() -> Iterator[Watch]:
    """Fails a test whose log records or exceptions show a secret."""
    del _watch.found[:]
    yield _watch
    found = list(_watch.found)
    del _watch.found[:]
    if found:
        pytest.fail("a secret was shown:\n" + "\n".join(found), pytrace=False)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    if call.excinfo is not None and call.when == "call":
        _watch.see(call.excinfo.value)
    yield
