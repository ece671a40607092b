"""How the library presents itself to servers."""

from __future__ import annotations

import platform

from ..._version import VERSION

USER_AGENT = f"azsdk-python-identity/{VERSION} Python/{platform.python_version()} ({platform.platform()})"
