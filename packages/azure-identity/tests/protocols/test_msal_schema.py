"""Documents that other programs wrote: what is found in them, and what is passed over."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leak_watch import MARK, planted
from shared_cache import DEVELOPER_CLIENT, HOST, SCOPE, TENANT, access_token, account, document, refresh_token

from azure.identity._cache.msal_schema import Document, StoredAccount
from azure.identity._protocols.authority import parse_authority

PUBLIC = parse_authority(HOST)
HOME = f"ada.{TENANT}"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def stored(text: str, *scopes: str, client: str = DEVELOPER_CLIENT, realms: Any = (TENANT,), home: str = HOME) -> Any:
    return Document(text).access_token(PUBLIC, home, client, realms, scopes or (SCOPE,))


# --- documents


@pytest.mark.parametrize("text", ["", " \n", "{}", '{"Account": {}}', '{"Future": {"a": 1}}'])
def test_an_empty_document_has_nothing_in_it(text: str) -> None:
    """Sections may be missing, and unknown ones be there."""
    found = Document(text)

    assert (found.damaged, found.accounts(PUBLIC), found.refresh_tokens(PUBLIC, HOME)) == (False, [], [])


@pytest.mark.parametrize("text", ["null", "[]", "5", "{", '{"Account": {', "[" * 100_000])
def test_what_is_no_object_is_a_damaged_document(text: str) -> None:
    """It has nothing in it, either."""
    found = Document(text)

    assert (found.damaged, found.accounts(PUBLIC)) == (True, [])
    assert stored(text) is None


@pytest.mark.parametrize("section", ["Account", "RefreshToken", "AccessToken"])
@pytest.mark.parametrize(
    "bad", [None, [], "x", 5, {}, {"home_account_id": 5, "secret": [], "environment": {}}], ids=repr
)
def test_one_bad_entry_does_not_hide_the_others(section: str, bad: Any) -> None:
    """Documents are shared with programs one knows nothing about."""
    whole: dict[str, Any] = json.loads(document(account(), refresh_token(), access_token()))
    whole[section] = {"bad": bad, **whole[section], "worse": bad}
    found = Document(json.dumps(whole))

    assert [entry.home_account_id for entry in found.accounts(PUBLIC)] == [HOME]
    assert [entry.secret for entry in found.refresh_tokens(PUBLIC, HOME)] == [planted("rt")]
    assert found.access_token(PUBLIC, HOME, DEVELOPER_CLIENT, [TENANT], [SCOPE]).secret == planted("at")  # type: ignore[union-attr]


@given(
    st.dictionaries(st.sampled_from(["Account", "RefreshToken", "AccessToken", "X"]), JSON).map(json.dumps) | st.text()
)
def test_any_text_can_be_looked_into(text: str) -> None:
    """Nothing is raised."""
    found = Document(text)

    assert all(isinstance(entry, StoredAccount) for entry in found.accounts(PUBLIC))
    found.refresh_tokens(PUBLIC, HOME)
    stored(text)


ENTRY = st.dictionaries(
    st.sampled_from(sorted({**account()[1], **refresh_token()[1], **access_token()[1]})),
    JSON | st.just(HOST) | st.just(HOME),
)


@given(st.sampled_from(["Account", "RefreshToken", "AccessToken"]), ENTRY)
def test_any_entry_can_be_looked_at(section: str, entry: Any) -> None:
    """Whatever its fields hold."""
    found = Document(json.dumps({section: {"k": entry}}))

    found.accounts(PUBLIC)
    found.refresh_tokens(PUBLIC, HOME)
    found.access_token(PUBLIC, HOME, DEVELOPER_CLIENT, [TENANT], [SCOPE])


# --- clouds


@pytest.mark.parametrize("alias", ["login.windows.net", "login.microsoft.com", "sts.windows.net", "LOGIN.WINDOWS.NET"])
def test_aliases_of_a_cloud_are_one(alias: str) -> None:
    """MSAL.NET writes the preferred one, others the configured one."""
    text = document(account(environment=alias), refresh_token(environment=alias), access_token(environment=alias))

    assert Document(text).accounts(PUBLIC)
    assert Document(text).refresh_tokens(PUBLIC, HOME)
    assert stored(text)


@pytest.mark.parametrize(
    "other", ["login.microsoftonline.us", "login.chinacloudapi.cn", "evil.example", "", "a b", None]
)
def test_other_clouds_are_not_seen(other: Any) -> None:
    """A token of one must not serve another."""
    text = document(account(environment=other), refresh_token(environment=other), access_token(environment=other))

    assert Document(text).accounts(PUBLIC) == []
    assert Document(text).refresh_tokens(PUBLIC, HOME) == []
    assert stored(text) is None


def test_entries_know_no_ports() -> None:
    """MSAL keeps the host of an authority only."""
    local = parse_authority("https://localhost:8443")

    assert Document(document(account(environment="localhost"))).accounts(local)


# --- accounts


def test_an_account_is_listed_once_as_its_home_tenant_knows_it() -> None:
    """A guest's name in another tenant may be another."""
    guest = account("ada_contoso.com#EXT#@fabrikam.com", realm="fabrikam")
    for entries in ([guest, account()], [account(), guest]):
        assert [entry.username for entry in Document(document(*entries)).accounts(PUBLIC)] == ["ada@contoso.com"]


@pytest.mark.parametrize(
    ("home", "tenant"), [("u.t", "t"), ("u", None), ("u.t.v", None), ("S-1-5", None), (".t", "t"), ("u.", "")]
)
def test_the_home_tenant_of_an_account(home: str, tenant: Any) -> None:
    """What follows the only dot."""
    assert StoredAccount(home, "x").tenant_id == tenant


def test_an_account_without_a_name_is_one() -> None:
    """An answer without an id token leaves such entries."""
    assert [entry.username for entry in Document(document(account(username=None))).accounts(PUBLIC)] == [""]  # type: ignore[arg-type]


# --- refresh tokens


def test_the_newest_refresh_token_comes_first() -> None:
    """Times are text or numbers; no time is the oldest."""
    text = document(
        refresh_token("old", last_modification_time="1"),
        refresh_token("none", last_modification_time=None),
        refresh_token("new", last_modification_time=3),
        refresh_token("of another", uid="bob"),
    )

    assert [entry.secret for entry in Document(text).refresh_tokens(PUBLIC, HOME)] == [
        planted("new"),
        planted("old"),
        planted("none"),
    ]


@pytest.mark.parametrize(("family", "expected"), [("1", "1"), (1, "1"), (None, None), ("", None), (0, None)])
def test_the_family_of_a_refresh_token(family: Any, expected: Any) -> None:
    [found] = Document(document(refresh_token(family_id=family))).refresh_tokens(PUBLIC, HOME)

    assert found.family_id == expected


@pytest.mark.parametrize("target", [None, "", "other"])
def test_a_refresh_token_is_not_bound_to_scopes(target: Any) -> None:
    """Some programs write none."""
    assert Document(document(refresh_token(target=target))).refresh_tokens(PUBLIC, HOME)


# --- access tokens


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        pytest.param({}, True, id="the same"),
        pytest.param({"target": f"b {SCOPE} a"}, True, id="more scopes"),
        pytest.param({"target": "other"}, False, id="other scopes"),
        pytest.param({"target": None}, False, id="no scopes"),
        pytest.param({"realm": TENANT.upper()}, True, id="a tenant has no case"),
        pytest.param({"realm": "other"}, False, id="another tenant"),
        pytest.param({"client_id": "other"}, False, id="another client"),
        pytest.param({"home_account_id": "bob.t"}, False, id="another account"),
        pytest.param({"home_account_id": None}, False, id="an application"),
        pytest.param({"token_type": None}, True, id="no type is Bearer"),
        pytest.param({"token_type": "bearer"}, True, id="lower case"),
        pytest.param({"token_type": "pop"}, False, id="a key is needed"),
        pytest.param({"ext_cache_key": "x"}, False, id="an extended entry"),
        pytest.param({"expires_on": 1800003600}, True, id="a number for a time"),
        pytest.param({"expires_on": "soon"}, False, id="no time"),
        pytest.param({"expires_on": None}, False, id="no expiry"),
        pytest.param({"secret": None}, False, id="no token"),
    ],
)
def test_what_an_access_token_must_match(changed: dict[str, Any], found: bool) -> None:
    """Account, client, tenant, scopes and kind."""
    assert (stored(document(access_token(**changed))) is not None) is found


def test_the_access_token_that_lives_longest_is_taken() -> None:
    text = document(
        access_token("a", expires_on="5"), access_token("b", expires_on="9"), access_token("c", expires_on="7")
    )

    assert stored(text).secret == planted("b")


def test_the_time_of_renewal_is_kept() -> None:
    assert stored(document(access_token(refresh_on="1800001800"))).refresh_on == 1800001800
    assert stored(document(access_token(refresh_on="x"))).refresh_on is None


def test_no_secret_is_in_a_repr() -> None:
    """Nor a user's name."""
    found = Document(document(account(), refresh_token(), access_token()))
    shown = repr((found.accounts(PUBLIC), found.refresh_tokens(PUBLIC, HOME), stored(document(access_token()))))

    assert MARK not in shown
    assert "ada@" not in shown
