"""Hosts of Azure that give their programs a managed identity: their environment variables, and what answers there.

One module for each; `registry` has the list. All of them share

- `host`: the life of a host, and the controls every one has;
- `face`: the HTTP face, its log and its faults;
- `listener`: its port;
- `identities` and `tokens`: which identity is meant, and the token it gets;
- `variables`: the environment, changed and restored.

Sources: "How managed identities for Azure resources work with Azure virtual machines", "How to use managed identities
for App Service and Azure Functions", "Authenticate against Azure resources with Azure Arc-enabled servers", "Get an
access token in a Service Fabric application", "Use Microsoft Entra Workload ID with AKS", "Identity bindings in AKS".
"""

from __future__ import annotations
