"""What credentials of build agents have in common: the agent's OIDC token is their client assertion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._errors.help import help_link
from .._values.messages import Unreachable
from .entra import EntraFlow

if TYPE_CHECKING:
    from .._outside.port import FlowIO
    from .._values.messages import Request, Token, TokenRequest


class BuildAgentFlow(EntraFlow):
    """A flow that exchanges an OIDC token of the build agent it runs on. Such tokens live for minutes, so each exchange
    begins with a new one."""

    _agent: str
    """What messages call the agent."""
    _help: str
    """Section of the troubleshooting page."""

    async def _exchange_agents(
        self, io: FlowIO, ask: TokenRequest, request: Request, member: str, advice: str
    ) -> Token:
        """Ask the agent for a token, which its answer has in `member`, and exchange it. `advice` is what to look at
        when the agent gives none."""
        from .._protocols.build_agents import NoOidcToken, parse_oidc
        from .._protocols.entra import assertion_proof, client_credentials

        try:
            response = await io.send(request)
        except Unreachable as error:
            raise self._failed(
                f"{self._who}: the OIDC endpoint of {self._agent}, {error.url}, cannot be reached: {error.reason}. "
                f"{help_link(self._help)}"
            ) from error
        try:
            assertion = parse_oidc(response, member, *self._secrets())
        except NoOidcToken as error:
            raise self._failed(f"{self._who}: {error} {advice} {help_link(self._help)}", response.raw) from None
        return await self._redeem(io, ask, client_credentials(self._client_id, ask.scopes, assertion_proof(assertion)))

    def _assertion_name(self) -> str:
        return f"The OIDC token of {self._agent}"

    def _not_here(self, problem: str, where: str) -> Exception:
        """The program does not run on such an agent, or the agent offers no tokens."""
        return self._unavailable(
            f"{self._who}: the environment variable {problem}. This credential works {where}. {help_link(self._help)}"
        )
