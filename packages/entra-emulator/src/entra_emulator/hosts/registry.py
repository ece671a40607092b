"""The hosts by name."""

from __future__ import annotations

from typing import Any, Dict, Type

from .app_service import AppService2017Host, AppServiceHost
from .arc import ArcHost
from .azure_ml import AzureMlHost
from .cloud_shell import CloudShellHost
from .host import Host, Site
from .identity_binding import IdentityBindingHost
from .imds import ImdsHost
from .service_fabric import ServiceFabricHost
from .workload_identity import WorkloadIdentityHost

HOSTS: Dict[str, Type[Host]] = {
    host.kind: host
    for host in (
        ImdsHost,
        AppServiceHost,
        AppService2017Host,
        ArcHost,
        ServiceFabricHost,
        CloudShellHost,
        AzureMlHost,
        WorkloadIdentityHost,
        IdentityBindingHost,
    )
}


def make_host(kind: str, site: Site, options: Dict[str, Any]) -> Host:
    """The host of this kind, not open yet.

    :raises ValueError: there is no such kind, or an option has no meaning.
    :raises TypeError: the kind does not have an option.
    """
    if kind not in HOSTS:
        raise ValueError(f"kind: expected one of {', '.join(HOSTS)}, got {kind!r}")
    return HOSTS[kind](site, **options)
