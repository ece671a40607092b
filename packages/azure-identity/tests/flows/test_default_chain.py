"""DefaultAzureCredential: who its members are, and how it differs from other chains.

Members come and go; these tests name those they are about, and leave the others out or aside.
"""

from __future__ import annotations

import logging
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from foreign import TokenOnly
from scripted import NOW, ScriptedIO, ask, refusal, token

from azure.identity import (
    AzureCliCredential,
    ChainedTokenCredential,
    CredentialUnavailableError,
    EnvironmentCredential,
)
from azure.identity import DefaultAzureCredential as _Default
from azure.identity._credentials.chained import member_name
from azure.identity._credentials.default import DEV, LINKS, PROD
from azure.identity._values.messages import Completed

ENVIRONMENT, CLI = "EnvironmentCredential", "AzureCliCredential"
ORDER = (
    "EnvironmentCredential",
    "WorkloadIdentityCredential",
    "ManagedIdentityCredential",
    "SharedTokenCacheCredential",
    "VisualStudioCodeCredential",
    "AzureCliCredential",
    "AzurePowerShellCredential",
    "AzureDeveloperCliCredential",
    "InteractiveBrowserCredential",
    "BrokerCredential",
)
DefaultAzureCredential: Any = _Default  # keywords are made up here as no type checker would let them
NEVER_ALONE = ("SharedTokenCacheCredential", "BrokerCredential")
"""Members that AZURE_TOKEN_CREDENTIALS cannot name. They may also be missing where a platform does not have them."""


def of(*names: str, **options: Any) -> Any:
    """The chain with these members only."""
    excluded: dict[str, Any] = {link.exclude: link.name not in names for link in LINKS}
    return DefaultAzureCredential(**excluded, **options)


def names(chain: Any) -> list[str]:
    return [member_name(member) for member in chain.credentials]


def failure(chain: Any, io: Any = None, **asked: Any) -> Any:
    with pytest.raises(ClientAuthenticationError) as caught:
        ask(chain, io or ScriptedIO(), **asked)
    return caught.value


def service_principal(monkeypatch: pytest.MonkeyPatch, **others: str) -> None:
    for name, value in {
        "AZURE_TENANT_ID": "tid",
        "AZURE_CLIENT_ID": "cid",
        "AZURE_CLIENT_SECRET": "s3cret",
        **others,
    }.items():
        monkeypatch.setenv(name, value)


def printed(text: str = "CLI") -> Completed:
    return Completed(0, f'{{"accessToken": "{text}", "expires_on": {NOW + 3600}}}')


# --- its members ---


def test_the_order_of_members() -> None:
    """What the program's host provides, then what a person is signed in to, then asking a person."""
    listed, made = [link.name for link in LINKS], names(DefaultAzureCredential())

    assert listed == [name for name in ORDER if name in listed]
    assert made == [name for name in ORDER if name in made]
    assert {ENVIRONMENT, CLI} <= set(made) <= {link.name for link in LINKS if link.included}


def test_links_are_told_apart_by_name_and_keyword() -> None:
    """Each keyword leaves out one member."""
    assert len({link.name for link in LINKS}) == len({link.exclude for link in LINKS}) == len(LINKS)
    assert {link.group for link in LINKS} <= {DEV, PROD, ""}


@pytest.mark.parametrize("link", LINKS, ids=lambda link: link.name)
def test_each_keyword_leaves_out_its_member(link: Any) -> None:
    """And adds it, where it is left out by default."""
    without = names(DefaultAzureCredential(**{link.exclude: True}))
    with_it = names(DefaultAzureCredential(**{link.exclude: False}))

    assert link.name not in without
    assert [name for name in with_it if name != link.name] == without
    assert link.name in with_it or link.name in NEVER_ALONE


def test_a_chain_without_members_is_refused() -> None:
    """By the constructor."""
    with pytest.raises(ValueError, match="at least one credential is required"):
        of()


@pytest.mark.parametrize(
    ("value", "included", "excluded"),
    [
        pytest.param("dev", [CLI], [ENVIRONMENT], id="developer tools"),
        pytest.param(" DEV ", [CLI], [ENVIRONMENT], id="in upper case, with blanks"),
        pytest.param("prod", [ENVIRONMENT], [CLI], id="environment and hosts"),
        pytest.param(" Prod", [ENVIRONMENT], [CLI], id="in mixed case"),
    ],
)
def test_a_group_of_members(
    monkeypatch: pytest.MonkeyPatch, value: str, included: list[str], excluded: list[str]
) -> None:
    """AZURE_TOKEN_CREDENTIALS: exactly the members of that group."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", value)

    found = set(names(DefaultAzureCredential()))
    group = {link.name for link in LINKS if link.group == value.strip().lower()}

    assert found - {*NEVER_ALONE} == group - {*NEVER_ALONE}
    assert set(included) <= found
    assert not set(excluded) & found


@pytest.mark.parametrize("name", [link.name for link in LINKS if link.name not in NEVER_ALONE])
@pytest.mark.parametrize("spell", [str, str.lower, str.upper, " {} ".format], ids=["as is", "lower", "upper", "blanks"])
def test_a_single_member(monkeypatch: pytest.MonkeyPatch, name: str, spell: Any) -> None:
    """AZURE_TOKEN_CREDENTIALS: by its name, in any case."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", spell(name))

    assert names(DefaultAzureCredential()) == [name]


@pytest.mark.parametrize("value", ["", "  "])
def test_a_blank_selection_is_none(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """As if the variable was not set."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", value)

    assert {ENVIRONMENT, CLI} <= set(names(DefaultAzureCredential()))


@pytest.mark.parametrize("value", ["foo", "production", "AzureCli", "BrokerCredential", "SharedTokenCacheCredential"])
def test_an_unknown_selection_is_refused_with_the_valid_ones(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """By the constructor. Broker and shared cache cannot be chosen alone."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", value)

    with pytest.raises(ValueError, match=f"Invalid value for AZURE_TOKEN_CREDENTIALS: '{value}'") as caught:
        DefaultAzureCredential()

    listed = str(caught.value).partition("Valid values: ")[2].rstrip(".").split(", ")
    assert listed[:2] == ["dev", "prod"]
    assert listed[2:] == sorted(listed[2:])
    assert {ENVIRONMENT.lower(), CLI.lower()} <= set(listed)


def test_a_keyword_adds_to_a_selection(monkeypatch: pytest.MonkeyPatch) -> None:
    """`exclude_...=False` is an explicit wish."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "prod")

    chosen = names(DefaultAzureCredential(exclude_cli_credential=False))

    assert {ENVIRONMENT, CLI} <= set(chosen)
    assert set(chosen) == set(names(DefaultAzureCredential())) | {CLI}


def test_a_keyword_takes_away_from_a_selection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Down to nothing, which is refused."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", CLI)

    with pytest.raises(ValueError, match="at least one credential is required"):
        DefaultAzureCredential(exclude_cli_credential=True)


def test_none_leaves_the_selection_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the keyword was not given."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", CLI)

    assert names(DefaultAzureCredential(exclude_cli_credential=None, exclude_environment_credential=None)) == [CLI]


@pytest.mark.parametrize("value", [None, "", " "])
def test_a_program_can_insist_on_a_selection(monkeypatch: pytest.MonkeyPatch, value: Any) -> None:
    """So that nobody forgets the variable in production."""
    if value is not None:
        monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", value)

    with pytest.raises(ValueError, match="AZURE_TOKEN_CREDENTIALS must be set, because require_envvar=True"):
        DefaultAzureCredential(require_envvar=True)


def test_a_selection_satisfies_who_insists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever it is."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", CLI)

    assert names(DefaultAzureCredential(require_envvar=True)) == [CLI]


# --- its keywords ---


@pytest.mark.parametrize(
    ("keyword", "advice"),
    [
        ("tenant_id", "workload_identity_tenant_id"),
        ("client_id", "managed_identity_client_id"),
        ("username", "shared_cache_username"),
        ("token_file_path", "AZURE_FEDERATED_TOKEN_FILE"),
    ],
)
@pytest.mark.parametrize("value", [None, "x"])
def test_keywords_that_would_mean_something_else_to_each_member(keyword: str, advice: str, value: Any) -> None:
    """The message names the keyword and what to give instead."""
    with pytest.raises(TypeError, match=rf"DefaultAzureCredential\(\) does not take '{keyword}'.*{advice}"):
        DefaultAzureCredential(**{keyword: value})


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("exclude_cli_credentials", "exclude_cli_credential"),
        ("exclude_environment_credentials", "exclude_environment_credential"),
        ("exclude_manged_identity_credential", "exclude_managed_identity_credential"),
        ("exclude_azure_cli_credential", "exclude_cli_credential"),
        ("exclude_azure_powershell_credential", "exclude_powershell_credential"),
        ("exclude_azure_developer_cli_credential", "exclude_developer_cli_credential"),
        ("exclude_azd_credential", "exclude_developer_cli_credential"),
        ("exclude_developer_credential", "exclude_developer_cli_credential"),
        ("exclude_visual_studio_credential", "exclude_visual_studio_code_credential"),
        ("exclude_vscode_credential", "exclude_visual_studio_code_credential"),
        ("exclude_msi_credential", "exclude_managed_identity_credential"),
        ("exclude_browser_credential", "exclude_interactive_browser_credential"),
        ("exclude_shared_cache_credential", "exclude_shared_token_cache_credential"),
        ("exclude_token_cache_credential", "exclude_shared_token_cache_credential"),
        ("shared_token_cache_username", "shared_cache_username"),
        ("additional_allowed_tenants", "additionally_allowed_tenants"),
        ("cache_persistence_option", "cache_persistence_options"),
        ("require_env_var", "require_envvar"),
    ],
)
def test_programs_with_other_spellings_of_keywords_run(given: str, meant: str) -> None:
    """They were always ignored. Now the right one is named, at the program's own line."""
    expected = rf"^DefaultAzureCredential\(\) ignores the keyword argument '{given}': did you mean '{meant}'\?$"
    with pytest.warns(UserWarning, match=expected) as caught:
        credential = DefaultAzureCredential(**{given: True})

    assert len(credential.credentials) == len(DefaultAzureCredential().credentials)
    assert [warning.filename for warning in caught] == [__file__]


def test_an_exclusion_of_nothing_that_exists_is_ignored() -> None:
    """A keyword of a later version, say."""
    with pytest.warns(UserWarning, match="'exclude_quantum_link': there is no such keyword"):
        DefaultAzureCredential(exclude_quantum_link=True)


def test_a_misspelt_identity_is_refused() -> None:
    """It would silently ask another one."""
    with pytest.raises(TypeError, match="'managed_identity_clientid'; did you mean 'managed_identity_client_id'"):
        DefaultAzureCredential(managed_identity_clientid="c")


def test_other_unknown_keywords_pass() -> None:
    """As azure-core's convention is."""
    assert CLI in names(DefaultAzureCredential(foo=42))


@pytest.mark.parametrize(
    ("variable", "keyword", "host"),
    [
        (None, None, "login.microsoftonline.com"),
        ("login.chinacloudapi.cn", None, "login.chinacloudapi.cn"),
        ("login.chinacloudapi.cn", "login.microsoftonline.us", "login.microsoftonline.us"),
    ],
    ids=["default", "variable", "keyword"],
)
def test_the_authority_reaches_members(monkeypatch: pytest.MonkeyPatch, variable: Any, keyword: Any, host: str) -> None:
    """Of all that ask Microsoft Entra ID."""
    service_principal(monkeypatch, **({"AZURE_AUTHORITY_HOST": variable} if variable else {}))
    io = ScriptedIO(token())

    ask(of(ENVIRONMENT, **({"authority": keyword} if keyword else {})), io)

    assert io.requests[0].url.split("/")[2] == host


@pytest.mark.parametrize("given", ["http://contoso.example", "file://x"])
def test_a_malformed_authority_is_refused_at_once(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """It concerns the whole chain."""
    with pytest.raises(ValueError, match="authority must be a host"):
        DefaultAzureCredential(authority=given)
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", given)
    with pytest.raises(ValueError, match="AZURE_AUTHORITY_HOST: authority must be a host"):
        DefaultAzureCredential()


def test_allowed_tenants_and_time_outs_reach_members(monkeypatch: pytest.MonkeyPatch, az: str) -> None:
    """Those they mean something to."""
    service_principal(monkeypatch)
    io = ScriptedIO(token())
    ask(of(ENVIRONMENT, additionally_allowed_tenants=["other"]), io, tenant="other")
    assert "/other/" in io.requests[0].url

    io = ScriptedIO(printed())
    ask(of(CLI, process_timeout=42), io)
    assert io.commands[0].timeout == 42


# --- the walk ---


def test_a_configured_service_principal_comes_before_developer_tools(monkeypatch: pytest.MonkeyPatch, az: str) -> None:
    """Nothing else is asked."""
    service_principal(monkeypatch)
    io = ScriptedIO(token("SP"))

    assert ask(of(ENVIRONMENT, CLI), io).token == "SP"
    assert io.commands == []
    io.finished()


def test_a_developers_machine(az: str) -> None:
    """An unconfigured environment is passed over."""
    io = ScriptedIO(printed("CLI"))

    assert ask(of(ENVIRONMENT, CLI), io).token == "CLI"
    io.finished()


def test_a_refused_service_principal_ends_the_search(monkeypatch: pytest.MonkeyPatch, az: str) -> None:
    """A developer's identity instead would be a surprise."""
    service_principal(monkeypatch)
    io = ScriptedIO(refusal("invalid_client", "AADSTS7000215: Wrong."))

    raised = failure(of(ENVIRONMENT, CLI), io)

    assert not isinstance(raised, CredentialUnavailableError)
    assert "DefaultAzureCredential failed to retrieve a token from the included credentials." in str(raised)
    assert "AADSTS7000215" in str(raised)
    assert "Not asked, because the last one above was refused: AzureCliCredential." in str(raised)
    io.finished()


def test_a_developer_tool_that_fails_is_no_reason_to_stop(az: str) -> None:
    """The next tool may be signed in."""
    io = ScriptedIO(Completed(1, "", "boom"))
    chain = of(CLI)
    chain.credentials = (*chain.credentials, TokenOnly("next"))

    assert ask(chain, io).token == "next"


def test_nobody_could_try() -> None:
    """Then that is what is raised, with every member and its reason, in order."""
    chain = of(ENVIRONMENT, CLI)

    raised = failure(chain)

    assert isinstance(raised, CredentialUnavailableError)
    assert [attempt.name for attempt in raised.attempts] == [ENVIRONMENT, CLI]
    assert all(attempt.reason for attempt in raised.attempts)
    assert "Azure CLI not found on path" in str(raised)


def test_it_can_be_a_member_itself() -> None:
    """Passed over when nobody in it could try."""
    assert ask(ChainedTokenCredential(of(ENVIRONMENT), TokenOnly("T")), ScriptedIO()).token == "T"


def test_without_a_scope_nobody_is_asked() -> None:
    """It is the caller's mistake."""
    with pytest.raises(ValueError, match="at least one scope"):
        of(ENVIRONMENT).get_token()


# --- members that cannot be set up ---


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"AZURE_TENANT_ID": "not a tenant"}, "tenant_id is invalid"),
        (
            {"AZURE_CLIENT_SECRET": "", "AZURE_CLIENT_CERTIFICATE_PATH": "/no/such/file.pem"},
            "the certificate cannot be read",
        ),
    ],
    ids=["a malformed tenant", "a missing certificate"],
)
def test_a_member_that_is_configured_wrongly_ends_the_search(
    monkeypatch: pytest.MonkeyPatch, az: str, variables: dict[str, str], reason: str
) -> None:
    """When it is asked, not in the constructor; another identity would be a surprise."""
    service_principal(monkeypatch, **variables)
    chain = of(ENVIRONMENT, CLI)

    assert names(chain) == [ENVIRONMENT, CLI]
    io = ScriptedIO()
    raised = failure(chain, io)
    assert not isinstance(raised, CredentialUnavailableError)
    assert "\tEnvironmentCredential: EnvironmentCredential is configured, but wrongly: " in str(raised)
    assert reason in str(raised)
    assert "Not asked, because the last one above was refused: AzureCliCredential." in str(raised)
    io.finished()


@pytest.mark.parametrize("variable", ["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"])
def test_a_blank_variable_configures_nothing(monkeypatch: pytest.MonkeyPatch, az: str, variable: str) -> None:
    """Templates leave such lines behind: the next member is asked."""
    service_principal(monkeypatch, **{variable: ""})

    assert ask(of(ENVIRONMENT, CLI), ScriptedIO(printed("CLI"))).token == "CLI"


def test_an_incomplete_environment_is_nothing_to_warn_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """There are other members."""
    monkeypatch.setenv("AZURE_TENANT_ID", "tid")

    with caplog.at_level(logging.INFO, "azure.identity"):
        of(ENVIRONMENT)

    assert [(r.levelname, "Incomplete environment" in r.getMessage()) for r in caplog.records] == [("INFO", True)]


# --- it stays with the member that had a token ---


def sticky(*members: Any) -> Any:
    chain = of(CLI)
    chain.credentials = members
    return chain


def test_it_stays_with_the_member_that_had_a_token() -> None:
    """For all scopes, tenants and both methods: an identity that changes is worse than none."""
    first, second = TokenOnly("first", CredentialUnavailableError("not here")), TokenOnly("second")
    chain = sticky(first, second)

    requests: list[dict[str, Any]] = [{}, {"method": "get_token_info"}, {"tenant": "other"}]
    for asked in requests:
        assert ask(chain, ScriptedIO(), **asked).token == "second"
    first.error = None
    assert ask(chain, ScriptedIO(), "another/.default").token == "second"

    assert (len(first.calls), len(second.calls)) == (1, 4)
    assert chain._successful_credential is second


@pytest.mark.parametrize("error", [CredentialUnavailableError("later"), ClientAuthenticationError("later")])
def test_later_errors_of_that_member_are_raised_as_they_are(error: Exception) -> None:
    """Nobody else is asked any more."""
    first, second = TokenOnly("first"), TokenOnly("second")
    chain = sticky(first, second)
    ask(chain, ScriptedIO())

    first.error = error
    with pytest.raises(ClientAuthenticationError) as caught:
        ask(chain, ScriptedIO())

    assert caught.value is error
    assert second.calls == []


def test_a_failed_walk_chooses_nobody() -> None:
    """The next request walks again."""
    first, second = TokenOnly("first", ValueError("boom")), TokenOnly("second")
    chain = sticky(first, second)
    failure(chain)

    first.error = CredentialUnavailableError("not here")

    assert ask(chain, ScriptedIO()).token == "second"


def test_a_tool_that_fails_later_fails_in_the_same_way_as_at_first(az: str) -> None:
    """Its class of error does not depend on when it fails."""
    io = ScriptedIO(printed(), Completed(1, "", "boom"))
    chain = of(CLI)
    ask(chain, io)
    io.advance(3600)

    assert type(failure(chain, io)) is CredentialUnavailableError


def test_a_failed_constructor_changes_nothing_for_others(monkeypatch: pytest.MonkeyPatch, az: str) -> None:
    """Whether a credential runs alone is told to it, and is no state of the process."""
    with pytest.raises(ValueError, match="at least one"):
        of()

    raised = failure(AzureCliCredential(), ScriptedIO(Completed(1, "", "boom")))

    assert not isinstance(raised, CredentialUnavailableError)


def test_members_are_the_public_classes() -> None:
    """Programs look for them by class."""
    by_name = {member_name(member): type(member) for member in DefaultAzureCredential().credentials}

    assert by_name[ENVIRONMENT] is EnvironmentCredential
    assert by_name[CLI] is AzureCliCredential


def test_the_constructor_opens_no_port_to_the_outside() -> None:
    """It validates. What a chain needs is looked for when it is asked."""
    chain = DefaultAzureCredential()

    assert chain.credentials
    assert all(getattr(member, "_port_", None) is None for member in (chain, *chain.credentials))
