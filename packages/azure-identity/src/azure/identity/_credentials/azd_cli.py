"""The account the Azure Developer CLI is signed in with. Nothing on the wire from here: one run of `azd auth token`."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Optional, Sequence

from .._errors.help import help_link
from .._flows.developer_tool import DeveloperToolFlow, file_marks, find_program
from .._flows.shells import AsyncCredential, SyncCredential
from .._flows.twins import AIO, public
from .._values.redaction import redacted

if TYPE_CHECKING:
    from .._outside.port import FlowIO
    from .._values.messages import Completed, Token, TokenRequest

_NOT_SIGNED_IN = ("not logged in", "azd auth login")
"""What the tool says when nobody is signed in, in all its formats."""


class AzureDeveloperCliFlow(DeveloperToolFlow):
    """Authenticates as the account the Azure Developer CLI is signed in with.

    Sign in first, by `azd auth login`. A token is kept until it is due for renewal or somebody signs in or out with the
    tool.

    :keyword str tenant_id: tenant to request tokens from. Default: the one the tool is signed in to.
    :keyword additionally_allowed_tenants: tenants besides `tenant_id` that a caller may request tokens from; `*` allows
        any. Without a `tenant_id` any tenant is allowed. Default: none.
    :paramtype additionally_allowed_tenants: list[str]
    :keyword float process_timeout: seconds to wait for the tool. Default: 10.
    :raises ValueError: an argument has characters that tenants do not have.

    Within `DefaultAzureCredential` every failure of the tool is a `CredentialUnavailableError`, so that the next member
    is asked.
    """

    _tool = "Azure Developer CLI"
    _help = "azure-developer-cli"

    def __init__(
        self,
        *,
        tenant_id: str = "",
        additionally_allowed_tenants: Optional[Sequence[str]] = None,
        process_timeout: float = 10,
    ) -> None:
        super().__init__(tenant_id, additionally_allowed_tenants, process_timeout)

    def _state(self) -> str:
        folder = os.environ.get("AZD_CONFIG_DIR") or os.path.expanduser("~/.azd")  # noqa: PTH111
        # `azd config set auth.useAzCliAuth true` makes the tool ask the Azure CLI, so that one's record counts too.
        azure = os.environ.get("AZURE_CONFIG_DIR") or os.path.expanduser("~/.azure")  # noqa: PTH111
        return file_marks(folder, "auth.json", "config.json") + "|" + file_marks(azure, "azureProfile.json")

    async def _acquire(self, io: FlowIO, ask: TokenRequest) -> Token:
        from .._protocols.tool_output import UnexpectedOutput, parse_azd, parse_azd_error

        program = find_program("azd")
        if program is None:
            raise self._not_installed()
        argv = [program, "auth", "token", "--output", "json", "--no-prompt"]
        for scope in ask.scopes:
            argv += ["--scope", scope]
        tenant = self._tenant_for(ask)
        if tenant:
            argv += ["--tenant-id", tenant]
        challenge = base64.b64encode((ask.claims or "").encode("utf-8")).decode("ascii")
        if challenge:
            argv += ["--claims", challenge]
        done = await self._run_tool(io, argv, {"NO_COLOR": "true"}, hide=challenge)
        if done.returncode != 0:
            raise self._refused(ask, done)
        try:
            return parse_azd(done.stdout)
        except UnexpectedOutput as error:
            said = parse_azd_error(done.stdout, done.stderr)
            if said:
                raise self._failure(
                    ask, f"{self._who}: {self._tool} failed: {redacted(said)} {help_link(self._help)}"
                ) from None
            raise self._unexpected(ask, str(error), done.stdout, "azdevclicredential") from None

    def _refused(self, ask: TokenRequest, done: Completed) -> Exception:
        from .._protocols.tool_output import parse_azd_error

        output = f"{done.stdout}\n{done.stderr}"
        said = redacted(parse_azd_error(done.stdout, done.stderr) or done.stderr)
        if done.returncode == 127 or done.stderr.startswith("'azd' is not recognized"):
            return self._not_installed()
        if all(phrase in output for phrase in _NOT_SIGNED_IN) and "AADSTS" not in output:
            tenant = self._tenant_for(ask)
            command = f"azd auth login --tenant-id {tenant}" if tenant else "azd auth login"
            return self._unavailable(
                f"{self._who}: Please run 'azd auth login' from a command prompt: run '{command}'. {self._tool} said: "
                f"{said} {help_link(self._help)}"
            )
        if "unknown flag: --claims" in output:
            return self._unavailable(
                f"{self._who}: this Azure Developer CLI cannot answer a claims challenge. Update it to version 1.18.1 "
                f"or later. {help_link('claims-challenge')}"
            )
        return self._gave_up(ask, said, done.returncode)

    def _not_installed(self) -> Exception:
        return self._unavailable(
            f"{self._who}: Azure Developer CLI could not be found. Install it (https://aka.ms/azure-dev) and run 'azd "
            f"auth login'. {help_link(self._help)}"
        )


@public("AzureDeveloperCliCredential")
class AzureDeveloperCliCredential(AzureDeveloperCliFlow, SyncCredential):
    __doc__ = AzureDeveloperCliFlow.__doc__


@public("AzureDeveloperCliCredential", AIO)
class AsyncAzureDeveloperCliCredential(AzureDeveloperCliFlow, AsyncCredential):
    __doc__ = AzureDeveloperCliFlow.__doc__
