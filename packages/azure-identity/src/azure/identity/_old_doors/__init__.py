"""Former places of modules, which go on to work for those who import from there or hold pickles made there.

`azure.identity` asks here only when a module of it is not found where it is asked for, so this costs nothing to those
who never do. A former place is the module itself under another name: what is patched there is patched.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Optional

PACKAGE = "azure.identity"

PLACES = {
    # Hosts of managed identities were modules among the credentials, as they are in the published package.
    "_credentials.app_service": "_hosts.app_service",
    "_credentials.azure_arc": "_hosts.azure_arc",
    "_credentials.azure_ml": "_hosts.azure_ml",
    "_credentials.cloud_shell": "_hosts.cloud_shell",
    "_credentials.imds": "_hosts.imds",
    "_credentials.service_fabric": "_hosts.service_fabric",
    # Modules that pickles of an earlier build name.
    "_flow": "_flows.flow",
    "_managed_host": "_hosts.host",
    "_messages": "_values.messages",
    "_record": "_values.record",
    "_settings": "_values.settings",
}
"""Where a module was, and where it is. Names below `azure.identity`."""


class _Door(Loader):
    """Loads a module under its former name too."""

    def __init__(self, place: str) -> None:
        self._place = place

    def exec_module(self, module: ModuleType) -> None:
        # importlib takes what stands in `sys.modules` afterwards: the module itself, not a copy.
        sys.modules[module.__name__] = import_module(f"{PACKAGE}.{self._place}")


def spec_of(name: str) -> Optional[ModuleSpec]:
    """How to load a module that is not where it is looked for; None if it never was there."""
    place = PLACES.get(name[len(PACKAGE) + 1 :])
    return None if place is None else ModuleSpec(name, _Door(place))
