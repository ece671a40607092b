"""azure-storage-blob against Azurite, with DefaultAzureCredential and nothing but environment variables."""

from __future__ import annotations

from typing import Any, Iterator

import pytest

import azure.identity
import azure.identity.aio
from entra_emulator import EntraEmulator
from partners.azurite import Azurite
from partners.finding import module

pytestmark = pytest.mark.partner

BLOB = b"held in memory only"


@pytest.fixture(scope="module")
def azurite(entra_server: EntraEmulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """Azurite with a certificate of the emulator's authority."""
    certificate, key = entra_server.issue_certificate("127.0.0.1", "localhost")
    with Azurite(certificate, key, tmp_path_factory.mktemp("azurite")) as running:
        yield running


@pytest.fixture
def storage() -> Any:
    return module("azure.storage.blob", "azure-storage-blob")


@pytest.fixture
def storage_aio() -> Any:
    return module("azure.storage.blob.aio", "azure-storage-blob")


def test_a_container_is_filled_and_read(storage: Any, azurite: Azurite, entra_env: EntraEmulator) -> None:
    """Create, upload, download, list: five requests to storage with one token, of one request to the authority."""
    with azure.identity.DefaultAzureCredential() as credential:
        with storage.BlobServiceClient(azurite.account_url, credential=credential) as service:
            container = service.create_container("sync")
            container.upload_blob("hello.txt", BLOB)

            assert container.download_blob("hello.txt").readall() == BLOB
            assert [blob.name for blob in container.list_blobs()] == ["hello.txt"]
            container.delete_container()

    assert entra_env.requests.count("token") == 1
    assert entra_env.requests.last("token").form["scope"] == "https://storage.azure.com/.default"


async def test_the_same_with_the_async_client(storage_aio: Any, azurite: Azurite, entra_env: EntraEmulator) -> None:
    """The async client and credential do the same, as often."""
    async with azure.identity.aio.DefaultAzureCredential() as credential:
        # aiohttp reads the trust store when it is imported, which was before the environment changed.
        async with storage_aio.BlobServiceClient(
            azurite.account_url, credential=credential, connection_verify=entra_env.ca_file
        ) as service:
            container = await service.create_container("aio")
            await container.upload_blob("hello.txt", BLOB)

            assert await (await container.download_blob("hello.txt")).readall() == BLOB
            assert [blob.name async for blob in container.list_blobs()] == ["hello.txt"]
            await container.delete_container()

    assert entra_env.requests.count("token") == 1


def test_a_token_for_another_service_is_refused(storage: Any, azurite: Azurite, entra_env: EntraEmulator) -> None:
    """Azurite looks at the token: one whose audience is Key Vault opens nothing."""
    from azure.core.exceptions import HttpResponseError

    with azure.identity.DefaultAzureCredential() as credential:
        with storage.BlobServiceClient(
            azurite.account_url, credential=credential, audience="https://vault.azure.net"
        ) as service:
            with pytest.raises(HttpResponseError) as refused:
                service.create_container("refused")

    assert refused.value.status_code == 403
    assert entra_env.requests.last("token").form["scope"] == "https://vault.azure.net/.default"
