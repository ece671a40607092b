"""What urllib3 1.26 needs to serve as well as urllib3 2: botocore still asks for it on Python 3.9.

1. It names no server to the TLS layer when the host is an IP address, so the TLS layer cannot check that the
   certificate is for it. It checks by itself instead, if the context does not.
2. It takes a body that ends before its announced length for a complete one, unless it is told not to.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    import ssl


def is_old_urllib3() -> bool:
    """Whether requests uses urllib3 1."""
    import urllib3

    return str(urllib3.__version__).startswith("1.")  # type: ignore[attr-defined]


def leave_names_to_urllib3(context: ssl.SSLContext) -> None:
    """Prepare a context that nobody but urllib3 uses: it compares names itself whenever the context does not."""
    context.check_hostname = False


def refuse_cut_bodies(manager: Any) -> None:
    """Make the pools of a pool manager notice when a body ends too early."""
    from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool

    class WholeResponse(HTTPResponse):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "enforce_content_length": True})

    class Pool(HTTPConnectionPool):
        ResponseCls = WholeResponse

    class SecurePool(HTTPSConnectionPool):
        ResponseCls = WholeResponse

    manager.pool_classes_by_scheme = {"http": Pool, "https": SecurePool}


def wrong_name(error: BaseException) -> Optional[str]:
    """What OpenSSL would say, if this is urllib3's own finding that a certificate is for another host; else None."""
    if type(error).__name__ != "CertificateError" or not type(error).__module__.startswith("urllib3."):
        return None
    found = re.match(r"hostname '([^']*)'", str(error))
    name = found.group(1) if found else ""
    kind = "IP address" if re.fullmatch(r"[0-9.]+|.*:.*", name) else "Hostname"
    return f"{kind} mismatch, certificate is not valid for '{name}'."
