"""What clients of others send that RFCs do not allow, and Entra takes all the same."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from entra_emulator.tokens.client_authentication import Assertion, _chain
from entra_emulator.values.errors import EntraError


def test_x5c_with_line_breaks_was_refused():
    """MSAL for Python leaves the line breaks of PEM in `x5c`."""
    der = bytes(range(200))
    broken = base64.encodebytes(der).decode().replace("\n", "\r\n")
    assert _chain(Assertion("", {"x5c": [broken]}, {})) == [der]


@pytest.mark.parametrize("entry", ["not*base64", 7, None])
def test_x5c_that_is_no_base64_is_still_refused(entry: Any):
    with pytest.raises(EntraError, match="x5c"):
        _chain(Assertion("", {"x5c": [entry]}, {}))
