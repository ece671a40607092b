"""A local Microsoft Entra ID: a real HTTPS server that speaks its protocol, for tests, demos and offline work.

::

    from entra_emulator import EntraEmulator

    with EntraEmulator() as entra:
        os.environ.update(entra.environment())

Names resolve on first use, so that importing the package (as its pytest plugin does) costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, List

if TYPE_CHECKING:
    from .directory.directory import App as App
    from .directory.directory import FederatedCredential as FederatedCredential
    from .directory.directory import Resource as Resource
    from .directory.directory import Secret as Secret
    from .directory.directory import SubjectNameIssuer as SubjectNameIssuer
    from .directory.directory import Tenant as Tenant
    from .directory.registrations import RegisteredApp as RegisteredApp
    from .directory.users import User as User
    from .emulator.browser import Browser as Browser
    from .emulator.browser import Page as Page
    from .emulator.browser import SignInError as SignInError
    from .emulator.browser import SignInResult as SignInResult
    from .emulator.emulator import EntraEmulator as EntraEmulator
    from .endpoints.protected_resource import claims_challenge as claims_challenge
    from .hosts.host import Host as Host
    from .hosts.identities import ManagedIdentity as ManagedIdentity
    from .journal.faults import Fault as Fault
    from .journal.request_log import LoggedRequest as LoggedRequest
    from .values.clock import Clock as Clock
    from .values.errors import EntraError as EntraError

__version__ = "0.1.0"

_HOME = {
    "EntraEmulator": "emulator.emulator",
    "RegisteredApp": "directory.registrations",
    "Tenant": "directory.directory",
    "App": "directory.directory",
    "Secret": "directory.directory",
    "FederatedCredential": "directory.directory",
    "SubjectNameIssuer": "directory.directory",
    "Resource": "directory.directory",
    "Clock": "values.clock",
    "Fault": "journal.faults",
    "LoggedRequest": "journal.request_log",
    "EntraError": "values.errors",
    "Host": "hosts.host",
    "ManagedIdentity": "hosts.identities",
    "User": "directory.users",
    "Browser": "emulator.browser",
    "Page": "emulator.browser",
    "SignInResult": "emulator.browser",
    "SignInError": "emulator.browser",
    "claims_challenge": "endpoints.protected_resource",
}

__all__ = [
    "EntraEmulator",
    "RegisteredApp",
    "Tenant",
    "App",
    "Secret",
    "FederatedCredential",
    "SubjectNameIssuer",
    "Resource",
    "Clock",
    "Fault",
    "LoggedRequest",
    "EntraError",
    "ManagedIdentity",
    "Host",
    "User",
    "Browser",
    "Page",
    "SignInResult",
    "SignInError",
    "claims_challenge",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> List[str]:
    return sorted({*globals(), *__all__})
