"""The little of Azure Resource Manager that signing in with the Azure CLI needs: cloud metadata and two lists."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

from ..directory.directory import Tenant, derived_id
from ..values import well_known

AUDIENCES = (well_known.ARM, "https://management.core.windows.net")


def cloud_metadata(base: str) -> Dict[str, Any]:
    """The description of this cloud. :param base: `scheme://host` as the client has addressed the emulator."""
    return {
        "name": "entra-emulator",
        "resourceManager": f"{base}/",
        "portal": f"{base}/",
        "gallery": f"{base}/",
        "graph": "https://graph.windows.net/",
        "graphAudience": "https://graph.windows.net/",
        "microsoftGraphResourceId": "https://graph.microsoft.com/",
        "batch": "https://batch.core.windows.net/",
        "media": "https://rest.media.azure.net",
        "sqlManagement": f"{base}/",
        "vmImageAliasDoc": f"{base}/aliases.json",
        "activeDirectoryDataLake": "https://datalake.azure.net/",
        "ossrdbmsResourceId": "https://ossrdbms-aad.database.windows.net",
        "logAnalyticsResourceId": "https://api.loganalytics.io",
        "appInsightsResourceId": "https://api.applicationinsights.io",
        "authentication": {
            "loginEndpoint": f"{base}/",
            "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "suffixes": {
            "storage": "core.windows.net",
            "keyVaultDns": "vault.azure.net",
            "mhsmDns": "managedhsm.azure.net",
            "sqlServerHostname": "database.windows.net",
            "mysqlServerEndpoint": "mysql.database.azure.com",
            "postgresqlServerEndpoint": "postgres.database.azure.com",
            "mariadbServerEndpoint": "mariadb.database.azure.com",
            "acrLoginServer": "azurecr.io",
            "azureDataLakeStoreFileSystem": "azuredatalakestore.net",
            "azureDataLakeAnalyticsCatalogAndJob": "azuredatalakeanalytics.net",
            "synapseAnalytics": "dev.azuresynapse.net",
            "storageSyncEndpointSuffix": "afs.azure.net",
        },
    }


def subscription_id(tenant: Tenant) -> str:
    """The id of the one subscription each tenant has."""
    return derived_id("subscription", tenant.id)


def subscriptions(tenant: Tenant) -> Dict[str, Any]:
    """The subscriptions of `tenant`: one, made up."""
    identity = subscription_id(tenant)
    return {
        "value": [
            {
                "id": f"/subscriptions/{identity}",
                "subscriptionId": identity,
                "tenantId": tenant.id,
                "displayName": f"{tenant.display_name or tenant.domain} subscription",
                "state": "Enabled",
                "authorizationSource": "RoleBased",
                "managedByTenants": [],
                "subscriptionPolicies": {
                    "locationPlacementId": "Public_2014-09-01",
                    "quotaId": "PayAsYouGo_2014-09-01",
                    "spendingLimit": "Off",
                },
            }
        ],
        "count": {"type": "Total", "value": 1},
    }


def tenants(known: Sequence[Tenant]) -> Dict[str, Any]:
    """The list of tenants."""
    value: List[Dict[str, Any]] = [
        {
            "id": f"/tenants/{tenant.id}",
            "tenantId": tenant.id,
            "displayName": tenant.display_name or tenant.domain,
            "defaultDomain": tenant.domain,
            "domains": list(tenant.domains),
            "tenantCategory": "Home",
        }
        for tenant in known
    ]
    return {"value": value}
