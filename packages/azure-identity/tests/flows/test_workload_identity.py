"""A workload in Kubernetes: which file is read when, what is sent where, and what a message says when it went wrong."""

from __future__ import annotations

import base64
import json
import logging
import pickle
from pathlib import Path
from typing import Any, Callable, Optional

import pytest
from azure.core.exceptions import ClientAuthenticationError
from certificates import identity
from cryptography.hazmat.primitives.serialization import Encoding
from leak_watch import planted
from scripted import NOW, ScriptedIO, refusal, token
from worlds import World

from azure.identity import CredentialUnavailableError
from azure.identity._credentials.default import AsyncBrokenMember, BrokenMember
from azure.identity._values.messages import Request, Tls, Unreachable

FILE = "/var/run/secrets/azure/tokens/azure-identity-token"
VARIABLES = {"AZURE_TENANT_ID": "ten", "AZURE_CLIENT_ID": "cid", "AZURE_FEDERATED_TOKEN_FILE": FILE}
PROXY = {"AZURE_KUBERNETES_TOKEN_PROXY": "https://p.test/x/", "AZURE_KUBERNETES_SNI_NAME": "n.ests.aks"}
URL = "https://login.microsoftonline.com/ten/oauth2/v2.0/token"


def jwt(subject: str = "system:serviceaccount:a:b", *, expires_in: int = 3600, **claims: Any) -> str:
    """A service account's token."""
    body = {"iss": "https://issuer.test/", "sub": subject, "aud": "api://AzureADTokenExchange", **claims}
    parts = ({"alg": "RS256"}, {**body, "exp": NOW + expires_in})
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return ".".join([*encoded, planted("signature")])


class TokenFile(ScriptedIO):
    """A scripted world in which the token file has these contents, one per reading; the last stays."""

    def __init__(self, *replies: Any, contents: tuple[Optional[str], ...] = (jwt(),)) -> None:
        super().__init__(*replies)
        self.contents = list(contents)

    async def read(self, path: str, limit: int = 1_000_000, *, follow_links: bool = True) -> bytes:
        if path == FILE:
            content = self.contents.pop(0) if len(self.contents) > 1 else self.contents[0]
            self.files.pop(FILE, None)
            if content is not None:
                self.files[FILE] = content.encode()
        return await super().read(path, limit, follow_links=follow_links)


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set the webhook's variables, and others."""

    def configure(**more: str) -> None:
        for name, value in {**VARIABLES, **more}.items():
            monkeypatch.setenv(name, value)

    return configure


def made(world: World, io: ScriptedIO, name: str = "WorkloadIdentityCredential", **options: Any) -> Any:
    """A credential in a scripted world; of a chain, the members too."""
    credential = world.make(name, **options)
    for one in (credential, *getattr(credential, "credentials", ())):
        one._port_ = io
    return credential


def get(world: World, credential: Any, *scopes: str, **options: Any) -> str:
    return str(world.ask(credential.get_token, *(scopes or ("s/.default",)), **options).token)


def failure(world: World, credential: Any, **options: Any) -> Any:
    with pytest.raises(ClientAuthenticationError) as caught:
        get(world, credential, **options)
    return caught.value


# --- the exchange


def test_the_token_in_the_file_is_the_assertion(world: World, configured: Any) -> None:
    """One request to the tenant's endpoint, with the scopes as they are; and nobody is asked about the authority."""
    configured()
    io = TokenFile(token("T1", expires_in=86399))
    credential = made(world, io)
    info = world.ask(credential.get_token_info, "s1/.default", "s2")

    assert (info.token, info.expires_on, info.refresh_on) == ("T1", NOW + 86399, NOW + 43199)
    [request] = io.requests
    assert (request.method, request.url, request.tls, request.direct) == ("POST", URL, None, False)
    assert request.form == {
        "grant_type": "client_credentials",
        "client_id": "cid",
        "scope": "s1/.default s2",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": jwt(),
    }
    io.finished()


def test_a_newline_at_the_end_of_the_file_is_not_sent(world: World, configured: Any) -> None:
    configured()
    io = TokenFile(token(), contents=(jwt() + "\n",))
    get(world, made(world, io))

    assert io.forms[0]["client_assertion"] == jwt()


def test_the_file_is_read_for_every_exchange(world: World, configured: Any) -> None:
    """The cluster replaces it; a token that is still cached needs neither file nor request."""
    configured()
    io = TokenFile(token("T1"), token("T2"), contents=(jwt("one"), jwt("two")))
    credential = made(world, io)

    assert [get(world, credential, scope) for scope in ("a", "a", "b")] == ["T1", "T1", "T2"]
    assert [form["client_assertion"] for form in io.forms] == [jwt("one"), jwt("two")]
    assert io.read_files == [FILE, FILE]


def test_arguments_win_over_the_environment(world: World, configured: Any) -> None:
    """A path object is a path."""
    configured()
    io = ScriptedIO(token())
    io.files["/own/token"] = jwt("own").encode()
    path: Any = Path("/own/token")
    get(
        world,
        made(world, io, tenant_id="other", client_id="mine", token_file_path=path, authority="login.chinacloudapi.cn"),
    )

    assert io.requests[0].url == "https://login.chinacloudapi.cn/other/oauth2/v2.0/token"
    assert (io.forms[0]["client_id"], io.forms[0]["client_assertion"]) == ("mine", jwt("own"))


def test_caller_and_claims_travel_as_for_any_credential(world: World, configured: Any) -> None:
    """The capability for continuous access evaluation, a claims challenge, and a tenant that is allowed."""
    configured()
    io = TokenFile(token("T1"), token("T2"), token("T3"))
    credential = made(world, io, additionally_allowed_tenants=["other"])
    get(world, credential, enable_cae=True)
    get(world, credential, enable_cae=True, claims='{"access_token":{"nbf":{"value":"1"}}}')
    get(world, credential, tenant_id="other")

    capability = {"xms_cc": {"values": ["CP1"]}}
    assert json.loads(io.forms[0]["claims"]) == {"access_token": capability}
    assert json.loads(io.forms[1]["claims"]) == {"access_token": {"nbf": {"value": "1"}, **capability}}
    assert "claims" not in io.forms[2]
    assert io.requests[2].url == URL.replace("/ten/", "/other/")


def test_a_foreign_tenant_is_refused_before_anything_is_read(world: World, configured: Any) -> None:
    configured()
    io = TokenFile()
    error = failure(world, made(world, io), tenant_id="other")

    assert "not configured to acquire tokens for tenant other" in error.message
    assert (io.requests, io.read_files) == ([], [])


def test_a_region_is_honoured(world: World, configured: Any) -> None:
    """As for every client credentials grant."""
    configured(AZURE_REGIONAL_AUTHORITY_NAME="westus2")
    io = TokenFile(token())
    get(world, made(world, io))

    assert io.requests[0].url == "https://westus2.login.microsoft.com/ten/oauth2/v2.0/token"


# --- configuration


@pytest.mark.parametrize(
    ("unset", "named"),
    [
        (("AZURE_TENANT_ID",), "'tenant_id'. Give them, or set AZURE_TENANT_ID."),
        (("AZURE_CLIENT_ID",), "'client_id'. Give them, or set AZURE_CLIENT_ID."),
        (
            ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE"),
            "'tenant_id', 'client_id', 'token_file_path'. Give them, or set AZURE_TENANT_ID, AZURE_CLIENT_ID, "
            "AZURE_FEDERATED_TOKEN_FILE.",
        ),
    ],
    ids=lambda value: str(len(value)) if isinstance(value, tuple) else "",
)
def test_what_is_missing_is_named(world: World, configured: Any, unset: tuple[str, ...], named: str) -> None:
    """By argument and by variable. A blank variable is none."""
    configured(**dict.fromkeys(unset, "  "))
    with pytest.raises(ValueError) as caught:
        world.make("WorkloadIdentityCredential")

    expected = "WorkloadIdentityCredential authentication unavailable. Missing required arguments: " + named
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"tenant_id": "a b"}, ValueError, "tenant_id is invalid"),
        ({"tenantid": "t"}, TypeError, "did you mean 'tenant_id'"),
        ({"token_filepath": "t"}, TypeError, "did you mean 'token_file_path'"),
        ({"authority": "http://a.test"}, ValueError, "authority must be"),
    ],
    ids=lambda value: "",
)
def test_a_malformed_argument_is_refused(
    world: World, configured: Any, arguments: dict[str, Any], error: type[Exception], text: str
) -> None:
    configured()
    with pytest.raises(error, match=text):
        world.make("WorkloadIdentityCredential", **arguments)


def test_a_misspelt_keyword_is_told_before_what_it_leaves_missing(world: World) -> None:
    with pytest.raises(TypeError, match="did you mean 'client_id'"):
        world.make("WorkloadIdentityCredential", client_i="c")


def test_it_takes_keywords_only(world: World) -> None:
    with pytest.raises(TypeError):
        world.make("WorkloadIdentityCredential", "ten", "cid", FILE)


# --- a file that is of no use


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, f"the token file cannot be read ({FILE}: No such file or directory)"),
        (" \n", f"the token file {FILE} is empty"),
        ("no token", f"the token file {FILE} does not hold a token (a JWT)"),
    ],
    ids=["missing", "blank", "no token"],
)
def test_a_file_of_no_use_makes_the_credential_unavailable(
    world: World, configured: Any, content: Optional[str], problem: str
) -> None:
    """No request is made, and the message says how the file should have got there."""
    configured()
    io = TokenFile(contents=(content,))
    error = failure(world, made(world, io))

    assert isinstance(error, CredentialUnavailableError)
    assert error.message == (
        f"WorkloadIdentityCredential authentication unavailable: {problem}. In Azure Kubernetes Service the file is "
        'put into pods with the label azure.workload.identity/use: "true" when they are created; elsewhere, make '
        "sure that token_file_path or AZURE_FEDERATED_TOKEN_FILE names the file with the service account's token. "
        "Help: docs/troubleshooting.md#workload-identity"
    )
    assert error.__cause__ is not None
    assert io.requests == []


def test_a_chain_goes_on_when_the_file_is_missing(world: World, configured: Any) -> None:
    configured()
    io = TokenFile(token("T1"), contents=(None,))
    first = made(world, io)
    second = made(world, io, "ClientSecretCredential", tenant_id="t", client_id="c", client_secret=planted("x"))
    chain = world.package.ChainedTokenCredential(first, second)

    assert get(world, chain) == "T1"


def test_an_early_renewal_survives_a_missing_file(world: World, configured: Any, caplog: Any) -> None:
    """The token at hand is good for another while."""
    configured()
    io = TokenFile(token("T1", expires_in=86399), contents=(jwt(), None))
    credential = made(world, io)
    get(world, credential)
    io.advance(50_000)
    entry = world.run(credential._answer(io, _request()))

    assert (entry.token.token, io.read_files) == ("T1", [FILE, FILE])
    assert "could not renew a token" in caplog.text


def _request() -> Any:
    from azure.identity._values.messages import TokenRequest

    return TokenRequest(("s/.default",))


# --- refusals

EXPIRED = refusal("invalid_client", "AADSTS700024: Client assertion is not within its valid time range.")


def test_a_token_that_was_replaced_meanwhile_is_tried(world: World, configured: Any) -> None:
    """The service calls it expired; by then the file has a new one."""
    configured()
    io = TokenFile(EXPIRED, token("T1"), contents=(jwt("old"), jwt("new")))

    assert get(world, made(world, io)) == "T1"
    assert [form["client_assertion"] for form in io.forms] == [jwt("old"), jwt("new")]


def test_an_expired_token_is_read_once_more_before_it_is_sent(world: World, configured: Any) -> None:
    """The cluster may be replacing it just now."""
    configured()
    io = TokenFile(token("T1"), contents=(jwt("old", expires_in=-1), jwt("new")))

    assert get(world, made(world, io)) == "T1"
    assert [form["client_assertion"] for form in io.forms] == [jwt("new")]


def test_a_clock_that_is_wrong_here_does_not_decide(world: World, configured: Any) -> None:
    """What is expired by this machine's clock is still sent: the service has the better one."""
    configured()
    io = TokenFile(token("T1"), contents=(jwt(expires_in=-1),))

    assert get(world, made(world, io)) == "T1"


def test_the_same_expired_token_is_not_tried_twice(world: World, configured: Any) -> None:
    """The message says when it expired; the token itself appears nowhere."""
    configured()
    io = TokenFile(EXPIRED, contents=(jwt(expires_in=-7200),))
    error = failure(world, made(world, io))

    assert not isinstance(error, CredentialUnavailableError)
    assert error.message == (
        "WorkloadIdentityCredential: Microsoft Entra ID refused a token for s/.default (application cid, tenant ten). "
        "Authentication failed: (invalid_client) AADSTS700024: Client assertion is not within its valid time range.\n"
        f"The token in {FILE} expired at 2027-01-15 06:00:00Z, 7200 seconds ago. The assertion is outside its time of "
        "validity. Check this machine's clock; a federated token must be fresh. "
        "Help: docs/troubleshooting.md#clock-skew"
    )
    assert len(io.requests) == 1


def test_a_second_refusal_ends_it(world: World, configured: Any) -> None:
    configured()
    io = TokenFile(EXPIRED, EXPIRED, contents=(jwt("one"), jwt("two"), jwt("three")))
    error = failure(world, made(world, io))

    assert (error.error_codes, len(io.requests)) == ((700024,), 2)


@pytest.mark.parametrize("code", [70021, 700211, 700212, 700213])
def test_a_mismatch_shows_what_to_compare(world: World, configured: Any, code: int) -> None:
    """Issuer, subject and audience, as the file has them: the service does not always say them."""
    configured()
    io = TokenFile(refusal("invalid_client", f"AADSTS{code}: No match. {jwt()}"))
    error = failure(world, made(world, io))

    assert error.message.endswith(
        f"AADSTS{code}: No match. ***\n"
        f"The token in {FILE} has issuer 'https://issuer.test/', subject 'system:serviceaccount:a:b', audience "
        "'api://AzureADTokenExchange'. No federated credential of the application matches the assertion. Compare its "
        "issuer, subject and audience with those configured under Certificates & secrets, Federated credentials. "
        "Help: docs/troubleshooting.md#federated-credential"
    )
    assert len(io.requests) == 1


def test_another_refusal_says_nothing_of_the_token(world: World, configured: Any) -> None:
    configured()
    error = failure(world, made(world, TokenFile(refusal("invalid_scope", "AADSTS70011: The scope is not valid."))))

    assert FILE not in error.message


def test_a_token_for_the_proxy_says_that_it_needs_one(world: World, configured: Any) -> None:
    """Microsoft Entra ID does not take tokens of identity bindings."""
    configured()
    io = TokenFile(
        refusal("invalid_client", "AADSTS700212: No match."), contents=(jwt(aud="api://AKSIdentityBinding"),)
    )
    error = failure(world, made(world, io))

    assert "audience 'api://AKSIdentityBinding'. Tokens for this audience are for the token proxy of an identity " in (
        error.message
    )
    assert "create the credential with enable_azure_proxy=True" in error.message


def test_other_assertions_are_explained_too(world: World) -> None:
    """Whatever credential sent it."""
    io = ScriptedIO(refusal("invalid_client", "AADSTS700213: No match."))
    error = failure(world, made(world, io, "ClientAssertionCredential", tenant_id="t", client_id="c", func=jwt))

    assert "\nThe assertion has issuer 'https://issuer.test/', subject 'system:serviceaccount:a:b'" in error.message


# --- identity bindings


def ca() -> str:
    return identity("ec").authority.public_bytes(Encoding.PEM).decode("ascii")


def other_ca() -> str:
    return identity("ec").leaf.public_bytes(Encoding.PEM).decode("ascii")


def bound(world: World, io: ScriptedIO, **options: Any) -> Any:
    return made(world, io, enable_azure_proxy=True, **options)


def test_the_exchange_goes_to_the_proxy(world: World, configured: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name and with the authorities of the binding only. Nobody is asked about the authority or a region."""
    configured(**PROXY, AZURE_KUBERNETES_CA_DATA=ca(), AZURE_REGIONAL_AUTHORITY_NAME="tryautodetect")
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", "login.private.test")
    io = TokenFile(token("T1"))
    assert get(world, bound(world, io)) == "T1"

    [request] = io.requests
    assert request.url == "https://p.test/x/ten/oauth2/v2.0/token"
    assert request.tls == Tls(None, "n.ests.aks", ca())
    assert not request.direct
    assert io.forms[0]["client_assertion"] == jwt()


def test_tokens_are_kept_under_the_authority(world: World, configured: Any) -> None:
    """The proxy is a way there, not another authority."""
    configured(**PROXY)
    direct, through = made(world, TokenFile()), bound(world, TokenFile())

    assert direct._key(_request()) == through._key(_request())
    assert through._key(_request()).cloud == "login.microsoftonline.com"


def test_without_authorities_the_usual_ones_are_trusted(world: World, configured: Any) -> None:
    configured(AZURE_KUBERNETES_TOKEN_PROXY="https://p.test")
    io = TokenFile(token())
    get(world, bound(world, io))

    assert io.requests[0].tls == Tls(None, None, None)


@pytest.mark.parametrize(
    ("variables", "enabled"),
    [({}, True), (PROXY, False), ({"AZURE_KUBERNETES_SNI_NAME": "n", "AZURE_KUBERNETES_CA_FILE": "/no"}, False)],
    ids=["no proxy", "not enabled", "not enabled and incomplete"],
)
def test_without_a_binding_entra_is_asked(
    world: World, configured: Any, variables: dict[str, str], enabled: bool
) -> None:
    """The keyword takes effect only with the variable, and the variable only with the keyword."""
    configured(**variables)
    io = TokenFile(token())
    get(world, made(world, io, enable_azure_proxy=enabled))

    assert (io.requests[0].url, io.requests[0].tls) == (URL, None)


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({"AZURE_KUBERNETES_SNI_NAME": "n"}, "AZURE_KUBERNETES_TOKEN_PROXY is not set"),
        ({**PROXY, "AZURE_KUBERNETES_CA_FILE": "/no", "AZURE_KUBERNETES_CA_DATA": "x"}, "are both set"),
        ({**PROXY, "AZURE_KUBERNETES_TOKEN_PROXY": "https://u:PLANTED-SECRET-p@h"}, "contains user information"),
        ({**PROXY, "AZURE_KUBERNETES_CA_FILE": "/no/ca"}, "AZURE_KUBERNETES_CA_FILE: the file cannot be read .*/no/ca"),
    ],
    ids=["incomplete", "contradicting", "password", "no file"],
)
def test_a_binding_that_cannot_be_is_refused(
    world: World, configured: Any, variables: dict[str, str], text: str
) -> None:
    """At construction."""
    configured(**variables)
    with pytest.raises(ValueError, match=text):
        world.make("WorkloadIdentityCredential", enable_azure_proxy=True)


@pytest.mark.parametrize("content", ["", "no certificate", "half"])
def test_an_authority_file_must_be_good_at_first(world: World, configured: Any, tmp_path: Path, content: str) -> None:
    """There is none to go on with yet."""
    path = tmp_path / "ca.crt"
    path.write_text(ca()[:200] if content == "half" else content)
    configured(**PROXY, AZURE_KUBERNETES_CA_FILE=str(path))
    with pytest.raises(ValueError, match=f"AZURE_KUBERNETES_CA_FILE: {path} contains"):
        world.make("WorkloadIdentityCredential", enable_azure_proxy=True)


@pytest.fixture
def ca_file(tmp_path: Path, configured: Any) -> Path:
    path = tmp_path / "ca.crt"
    path.write_text(ca())
    configured(**PROXY, AZURE_KUBERNETES_CA_FILE=str(path))
    return path


@pytest.mark.parametrize(
    "content",
    [None, b"", b"\xff\xfe", ca().encode()[:300], b"# comment\r\n" + ca().encode()],
    ids=["gone", "emptied", "garbage", "half-written", "only commented"],
)
def test_the_last_good_authorities_are_kept(
    world: World, ca_file: Path, content: Optional[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the file holds while it is replaced, the caller does not notice."""
    io = TokenFile(token("T1"), token("T2"))
    credential = bound(world, io)
    io.files[str(ca_file)] = ca().encode()
    get(world, credential, "a")
    if content is None:
        del io.files[str(ca_file)]
    else:
        io.files[str(ca_file)] = content
    caplog.set_level(logging.WARNING)
    get(world, credential, "b")

    assert [request.tls for request in io.requests] == [Tls(None, "n.ests.aks", ca())] * 2
    assert ("goes on with the authorities it had" in caplog.text) == (not (content or b"").startswith(b"#"))


def test_renewed_authorities_are_trusted_from_the_next_exchange_on(world: World, ca_file: Path) -> None:
    """Also if the file was of no use for a while."""
    io = TokenFile(token("T1"), token("T2"), token("T3"))
    credential = bound(world, io)
    for content, scope in ((ca(), "a"), ("", "b"), (other_ca(), "c")):
        io.files[str(ca_file)] = content.encode()
        get(world, credential, scope)

    assert [request.tls.ca_pem for request in io.requests if request.tls] == [ca(), ca(), other_ca()]


@pytest.mark.parametrize(
    ("kind", "reason", "hint"),
    [
        ("tls", "the server's certificate is not trusted", "AZURE_KUBERNETES_SNI_NAME"),
        ("connection", "the connection was refused", "reachable from this pod at AZURE_KUBERNETES_TOKEN_PROXY"),
    ],
)
def test_an_unreachable_proxy_is_named_as_such(
    world: World, configured: Any, kind: str, reason: str, hint: str
) -> None:
    """With the variables that describe it, not those of the authority."""
    configured(**PROXY)

    def unreachable(request: Request) -> Any:
        raise Unreachable(request.url, reason, kind=kind)

    error = failure(world, bound(world, TokenFile(unreachable)))

    assert error.message.startswith(
        "WorkloadIdentityCredential: the cluster's token proxy https://p.test/x/ten/oauth2/v2.0/token cannot be "
        f"reached: {reason}. "
    )
    assert hint in error.message
    assert "AZURE_AUTHORITY_HOST" not in error.message
    assert error.message.endswith("Help: docs/troubleshooting.md#identity-binding")


def test_a_bound_credential_can_be_pickled(world: World, ca_file: Path) -> None:
    """The copy knows the authorities too."""
    copy = pickle.loads(pickle.dumps(bound(world, TokenFile())))
    ca_file.unlink()
    copy._port_ = io = TokenFile(token("T1"))

    assert get(world, copy) == "T1"
    assert io.requests[0].tls == Tls(None, "n.ests.aks", ca())


# --- in the default chain


def member(chain: Any, name: str = "WorkloadIdentityCredential") -> Any:
    [found] = [one for one in chain.credentials if name in (type(one).__name__, getattr(one, "_credential_name", None))]
    return found


def test_it_is_the_second_member(world: World, configured: Any) -> None:
    """After the environment's service principal, before the host's managed identity."""
    configured()
    chain = world.make("DefaultAzureCredential")
    names = [type(one).__name__ for one in chain.credentials]

    assert names[:3] == ["EnvironmentCredential", "WorkloadIdentityCredential", "ManagedIdentityCredential"]


@pytest.mark.parametrize(
    ("options", "tenant", "client"),
    [
        ({}, "ten", "cid"),
        ({"workload_identity_client_id": "w"}, "ten", "w"),
        ({"managed_identity_client_id": "m"}, "ten", "m"),
        ({"managed_identity_client_id": "m", "workload_identity_client_id": "w"}, "ten", "w"),
        ({"managed_identity_client_id": "/subscriptions/s/resourceGroups/g/providers/p"}, "ten", "cid"),
        ({"workload_identity_tenant_id": "own"}, "own", "cid"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_the_chain_has_keywords_for_it(
    world: World, configured: Any, options: dict[str, Any], tenant: str, client: str
) -> None:
    """What they leave open, the environment says."""
    configured()
    own = member(world.make("DefaultAzureCredential", exclude_managed_identity_credential=True, **options))

    assert (own._tenant, own._client_id, own._token_file) == (tenant, client, FILE)


def test_the_chains_authority_is_its_too(world: World, configured: Any) -> None:
    configured()
    own = member(world.make("DefaultAzureCredential", authority="login.chinacloudapi.cn"))

    assert own._authority.host == "login.chinacloudapi.cn"


def test_not_configured_it_is_passed_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report says what it would have needed."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "WorkloadIdentityCredential")
    monkeypatch.setenv("AZURE_TENANT_ID", "ten")
    error = failure(world, world.make("DefaultAzureCredential"))

    assert isinstance(error, CredentialUnavailableError)
    [attempt] = error.attempts
    assert attempt.name == "WorkloadIdentityCredential"
    assert "Missing required arguments: 'client_id', 'token_file_path'" in error.message


def test_configured_wrongly_it_ends_the_chain(world: World, configured: Any) -> None:
    """Another identity would be a surprise."""
    configured(AZURE_TENANT_ID="no tenant", AZURE_TOKEN_CREDENTIALS="prod")
    chain = world.make("DefaultAzureCredential", exclude_environment_credential=True)
    error = failure(world, chain)

    assert isinstance(member(chain), (BrokenMember, AsyncBrokenMember))
    assert not isinstance(error, CredentialUnavailableError)
    assert "WorkloadIdentityCredential is configured, but wrongly: tenant_id is invalid" in error.message


def test_a_missing_file_lets_the_next_member_try(world: World, configured: Any) -> None:
    configured()
    io = TokenFile(contents=(None,))
    chain = world.make(
        "DefaultAzureCredential", exclude_environment_credential=True, exclude_managed_identity_credential=True
    )
    member(chain)._port_ = io
    error = failure(world, chain)

    names = [attempt.name for attempt in error.attempts]
    assert names[0] == "WorkloadIdentityCredential"
    assert "AzureCliCredential" in names


def test_a_refusal_ends_the_chain(world: World, configured: Any) -> None:
    configured()
    io = TokenFile(refusal("invalid_client", "AADSTS700213: No match."))
    chain = world.make("DefaultAzureCredential", exclude_environment_credential=True)
    member(chain)._port_ = io
    error = failure(world, chain)

    assert [attempt.name for attempt in error.attempts] == ["WorkloadIdentityCredential"]


def test_the_chain_does_not_use_a_binding(world: World, configured: Any) -> None:
    """`enable_azure_proxy` is for a credential that is made on its own."""
    configured(**PROXY)
    io = TokenFile(token("T1"))
    chain = world.make("DefaultAzureCredential", enable_azure_proxy=True)
    member(chain)._port_ = io

    assert get(world, chain) == "T1"
    assert io.requests[0].url == URL
