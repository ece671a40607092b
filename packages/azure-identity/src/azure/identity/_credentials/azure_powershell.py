"""The account Azure PowerShell is signed in with. Nothing on the wire from here: one run of a script in `pwsh`."""

from __future__ import annotations

import base64
import os
import sys
from typing import TYPE_CHECKING, Optional, Sequence

from .._errors.help import help_link
from .._flows.developer_tool import DeveloperToolFlow, file_marks, find_program
from .._flows.shells import AsyncCredential, SyncCredential
from .._flows.twins import AIO, public
from .._protocols.scopes import resource_of
from .._values.redaction import redacted

if TYPE_CHECKING:
    from .._outside.port import FlowIO
    from .._values.messages import Completed, Token, TokenRequest


class AzurePowerShellFlow(DeveloperToolFlow):
    """Authenticates as the account Azure PowerShell is signed in with.

    Sign in first, by `Connect-AzAccount`. A token is kept until it is due for renewal or somebody signs in or out with
    the tool. Needs PowerShell and the module Az.Accounts, version 2.2.0 or later.

    :keyword str tenant_id: tenant to request tokens from. Default: the one of the current context.
    :keyword additionally_allowed_tenants: tenants besides `tenant_id` that a caller may request tokens from; `*` allows
        any. Without a `tenant_id` any tenant is allowed. Default: none.
    :paramtype additionally_allowed_tenants: list[str]
    :keyword float process_timeout: seconds to wait for PowerShell. Default: 10.
    :raises ValueError: an argument has characters that tenants do not have.

    Within `DefaultAzureCredential` every failure of the tool is a `CredentialUnavailableError`, so that the next member
    is asked.
    """

    _tool = "Azure PowerShell"
    _help = "azure-powershell"

    def __init__(
        self,
        *,
        tenant_id: str = "",
        additionally_allowed_tenants: Optional[Sequence[str]] = None,
        process_timeout: float = 10,
    ) -> None:
        super().__init__(tenant_id, additionally_allowed_tenants, process_timeout)

    def _check(self, ask: TokenRequest) -> None:
        super()._check(ask)
        if ask.claims:
            # Only now: the tenant has been checked, and the command in the message will be pasted into a shell.
            raise self._claims_refused(ask)
        resource_of(ask.scopes)

    def _state(self) -> str:
        folder = os.path.expanduser("~/.Azure")  # noqa: PTH111
        return file_marks(folder, "AzureRmContext.json", "AzureRmContextSettings.json")

    async def _acquire(self, io: FlowIO, ask: TokenRequest) -> Token:
        from .._protocols.powershell import NoModule, encoded_script, parse_powershell, without_token
        from .._protocols.tool_output import UnexpectedOutput

        names = ("pwsh", "powershell") if sys.platform.startswith("win") else ("pwsh",)
        program = find_program(*names)
        if program is None:
            raise self._not_installed()
        script = encoded_script(resource_of(ask.scopes), self._tenant_for(ask) or "")
        argv = [program, "-NoProfile", "-NonInteractive", "-EncodedCommand", script]
        done = await self._run_tool(io, argv, {}, hide=script)
        if done.returncode != 0:
            raise self._refused(ask, done)
        try:
            return parse_powershell(done.stdout)
        except NoModule:
            raise self._unavailable(
                f"{self._who}: Az.Account module >= 2.2.0 is not installed. Run 'Install-Module -Name Az.Accounts' in "
                f"PowerShell. {help_link(self._help)}"
            ) from None
        except UnexpectedOutput as error:
            raise self._unexpected(ask, str(error), without_token(done.stdout), "powershellcredential") from None

    def _refused(self, ask: TokenRequest, done: Completed) -> Exception:
        from .._protocols.powershell import plain_text, says

        words = redacted(plain_text(done.stderr))
        if done.returncode in _NO_SUCH_PROGRAM or says(words, "'pwsh' is not recognized"):
            return self._not_installed()
        if any(says(words, phrase) for phrase in _NOT_SIGNED_IN) and not says(words, "AADSTS"):
            tenant = self._tenant_for(ask)
            command = f"Connect-AzAccount -Tenant {tenant}" if tenant else "Connect-AzAccount"
            return self._unavailable(
                f'{self._who}: Please run "Connect-AzAccount" to set up an account: run "{command}". {self._tool} '
                f"said: {words} {help_link(self._help)}"
            )
        if says(words, "AuthorizationManager check failed"):
            return self._unavailable(
                f"{self._who}: Execution policy prevented the script from running. {self._tool} said: {words} "
                f"{help_link(self._help)}"
            )
        return self._unavailable(
            f"{self._who}: Failed to invoke PowerShell: it ended with status {done.returncode} and said: "
            f"{words or 'nothing'} {help_link(self._help)}"
        )

    def _not_installed(self) -> Exception:
        return self._unavailable(
            f"{self._who}: PowerShell is not installed. Install it (https://aka.ms/powershell) with the module "
            f"Az.Accounts, and run 'Connect-AzAccount'. {help_link(self._help)}"
        )

    def _claims_refused(self, ask: TokenRequest) -> Exception:
        """The tool cannot answer a claims challenge by itself: a person has to sign in with it."""
        challenge = base64.b64encode((ask.claims or "").encode("utf-8")).decode("ascii")
        command = f"Connect-AzAccount -ClaimsChallenge {challenge}"
        if ask.tenant:
            command += f" -Tenant {ask.tenant}"
        return self._unavailable(
            f"{self._who}: Failed to get token: the resource requires a new sign-in. Run (Az.Accounts 5.2.0 or later): "
            f"{command} {help_link('claims-challenge')}"
        )


_NOT_SIGNED_IN = (
    "run Connect-AzAccount",
    "No accounts were found in the cache",
    "cannot retrieve access token",
)
"""What Az.Accounts says, in its versions, when nobody is signed in."""
_NO_SUCH_PROGRAM = (127, 9009)
"""How a shell, and the Windows command interpreter, end when they do not find a program."""


@public("AzurePowerShellCredential")
class AzurePowerShellCredential(AzurePowerShellFlow, SyncCredential):
    __doc__ = AzurePowerShellFlow.__doc__


@public("AzurePowerShellCredential", AIO)
class AsyncAzurePowerShellCredential(AzurePowerShellFlow, AsyncCredential):
    __doc__ = AzurePowerShellFlow.__doc__
