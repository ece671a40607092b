"""Sign-in through the operating system's authentication broker."""

from __future__ import annotations

from ._credential import InteractiveBrowserBrokerCredential, PopTokenRequestOptions
from ._version import VERSION

__version__ = VERSION

__all__ = ["InteractiveBrowserBrokerCredential", "PopTokenRequestOptions"]
