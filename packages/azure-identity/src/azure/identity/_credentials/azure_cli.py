"""The account the Azure CLI is signed in with.

Nothing on the wire from here: one run of `az account get-access-token`.
"""

from __future__ import annotations

import base64
import os
import re
import sys
from typing import TYPE_CHECKING, Optional, Sequence

from .._errors.help import help_link
from .._flows.developer_tool import DeveloperToolFlow, file_marks, find_program
from .._flows.shells import AsyncCredential, SyncCredential
from .._flows.twins import AIO, public
from .._protocols.scopes import resource_of
from .._values.messages import TokenRequest
from .._values.redaction import redacted

if TYPE_CHECKING:
    from .._outside.port import FlowIO
    from .._values.messages import Completed, Token, TokenRequest

_SUBSCRIPTION = re.compile(r"\A[A-Za-z0-9_. -]+\Z")
_NOT_SIGNED_IN = ("az login", "az account set")


class AzureCliFlow(DeveloperToolFlow):
    """Authenticates as the account the Azure CLI is signed in with.

    Sign in first, by `az login`. A token is kept until it is due for renewal or somebody signs in, signs out or selects
    another subscription with the Azure CLI.

    :keyword str tenant_id: tenant to request tokens from. Default: the one of the Azure CLI's current subscription.
    :keyword str subscription: name or id of the subscription whose account is used. Default: the Azure CLI's current
        one.
    :keyword additionally_allowed_tenants: tenants besides `tenant_id` that a caller may request tokens from; `*` allows
        any. Without a `tenant_id` any tenant is allowed. Default: none.
    :paramtype additionally_allowed_tenants: list[str]
    :keyword float process_timeout: seconds to wait for the Azure CLI. Default: 10.
    :raises ValueError: an argument has characters that tenants or subscriptions do not have.

    Within `DefaultAzureCredential` every failure of the tool is a `CredentialUnavailableError`, so that the next member
    is asked.
    """

    _tool = "Azure CLI"
    _help = "azure-cli"

    def __init__(
        self,
        *,
        tenant_id: str = "",
        subscription: Optional[str] = None,
        additionally_allowed_tenants: Optional[Sequence[str]] = None,
        process_timeout: float = 10,
    ) -> None:
        super().__init__(tenant_id, additionally_allowed_tenants, process_timeout)
        if subscription and not _SUBSCRIPTION.match(subscription):
            raise ValueError(
                f"subscription {subscription!r} is invalid: only letters, digits, underscores, periods, hyphens and "
                "spaces are allowed. If the subscription's name has other characters, use its id instead."
            )
        self.subscription = subscription

    def _check(self, ask: TokenRequest) -> None:
        super()._check(ask)
        if ask.claims:
            # Only now: scope and tenant have been checked, and the command in the message will be pasted into a shell.
            raise self._claims_refused(ask)
        resource_of(ask.scopes)

    def _state(self) -> str:
        folder = os.environ.get("AZURE_CONFIG_DIR") or os.path.expanduser("~/.azure")  # noqa: PTH111
        return file_marks(folder, "azureProfile.json", "clouds.config", "config") + f"|{self.subscription or ''}"

    async def _acquire(self, io: FlowIO, ask: TokenRequest) -> Token:
        from .._protocols.tool_output import UnexpectedOutput, parse_azure_cli

        arguments = ["account", "get-access-token", "--output", "json", "--resource", resource_of(ask.scopes)]
        tenant = self._tenant_for(ask)
        if tenant:
            arguments += ["--tenant", tenant]
        if self.subscription:
            arguments += ["--subscription", self.subscription]
        printed = await self._az(io, ask, arguments)
        try:
            return parse_azure_cli(printed)
        except UnexpectedOutput as error:
            raise self._unexpected(ask, str(error), printed, "azclicredential") from None

    async def _az(self, io: FlowIO, ask: TokenRequest, arguments: Sequence[str]) -> str:
        """What the Azure CLI prints."""
        program = find_program("az.cmd", "az") if sys.platform.startswith("win") else find_program("az")
        if program is None:
            raise self._not_installed()
        done = await self._run_tool(io, [program, *arguments], {"AZURE_CORE_NO_COLOR": "true"})
        if done.returncode != 0:
            raise self._refused(ask, done)
        return done.stdout

    def _refused(self, ask: TokenRequest, done: Completed) -> Exception:
        words = redacted(done.stderr)
        if done.returncode == 127 or done.stderr.startswith("'az' is not recognized"):
            return self._not_installed()
        if any(phrase in done.stderr for phrase in _NOT_SIGNED_IN) and "AADSTS" not in done.stderr:
            tenant = self._tenant_for(ask)
            command = f"az login --tenant {tenant}" if tenant else "az login"
            return self._unavailable(
                f"{self._who}: Please run 'az login' to set up an account: run '{command}'. Azure CLI said: {words} "
                f"{help_link(self._help)}"
            )
        return self._gave_up(ask, words, done.returncode)

    def _not_installed(self) -> Exception:
        return self._unavailable(
            f"{self._who}: Azure CLI not found on path. Install it (https://aka.ms/installazurecli) and run 'az "
            "login'. "
            f"{help_link(self._help)}"
        )

    def _claims_refused(self, ask: TokenRequest) -> Exception:
        """The tool cannot answer a claims challenge by itself: a person has to sign in with it."""
        challenge = base64.b64encode((ask.claims or "").encode("utf-8")).decode("ascii")
        command = f"az login --claims-challenge {challenge}"
        if ask.tenant:
            command += f" --tenant {ask.tenant}"
        command += f" --scope {ask.scopes[0]}"
        return self._unavailable(
            f"{self._who}: Failed to get token: the resource requires a new sign-in. Run (Azure CLI 2.76.0 or later): "
            f"{command} {help_link('claims-challenge')}"
        )


@public("AzureCliCredential")
class AzureCliCredential(AzureCliFlow, SyncCredential):
    __doc__ = AzureCliFlow.__doc__


@public("AzureCliCredential", AIO)
class AsyncAzureCliCredential(AzureCliFlow, AsyncCredential):
    __doc__ = AzureCliFlow.__doc__


def _run_command(command_args: Sequence[str], timeout: float = 10) -> str:
    """What the Azure CLI prints when it is run with these arguments. Kept for programs that import it from here.

    :param timeout: seconds.
    :raises ~azure.identity.CredentialUnavailableError: the Azure CLI is not installed, not signed in, or too slow.
    :raises ~azure.core.exceptions.ClientAuthenticationError: it ended with another error.
    """
    credential = AzureCliCredential(process_timeout=timeout)
    return credential._run(credential._az(credential._port, TokenRequest(()), command_args))
