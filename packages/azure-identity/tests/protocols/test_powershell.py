"""The script that asks Azure PowerShell, and what it prints.

The script itself was never run by a test: there is no PowerShell where they run. What is checked is what the
documentation of `Get-AzAccessToken` and `-EncodedCommand` asks for.
"""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azure.identity._protocols.powershell import NoModule, encoded_script, parse_powershell, plain_text, says
from azure.identity._protocols.tool_output import UnexpectedOutput
from azure.identity._values.messages import Token


def script(resource: str = "https://vault.azure.net", tenant: str = "") -> str:
    return base64.b64decode(encoded_script(resource, tenant)).decode("utf-16-le")


# --- the script


def test_the_script_asks_for_one_resource_of_one_tenant() -> None:
    """Both stand in single quotes, in which PowerShell replaces nothing."""
    assert "'ResourceUrl' = 'https://vault.azure.net'" in script()
    assert "$tenantId = ''" in script()
    assert "$tenantId = 'contoso.com'" in script(tenant="contoso.com")


def test_the_script_reads_tokens_of_both_kinds() -> None:
    """Text, and a SecureString: whatever the module's version, the value says which."""
    text = script()

    assert "-is [System.Security.SecureString]" in text
    assert "ZeroFreeBSTR" in text
    assert "-AsPlainText" in text


def test_the_script_has_one_statement_a_line() -> None:
    """A line-wrapping tool once put the call of Get-AzAccessToken behind the end of a block."""
    lines = [line.strip() for line in script().splitlines()]

    assert "$answer = Get-AzAccessToken @arguments" in lines
    assert "$arguments['AsSecureString'] = $true" in lines
    assert [
        line for line in lines if re.match(r"\}\s*[^\s}]", line) and not re.match(r"\} (else|finally) \{", line)
    ] == []


def test_blocks_and_quotes_of_the_script_are_balanced() -> None:
    text = script("https://vault.azure.net", "contoso.com")

    for opening, closing in ("{}", "()", "[]"):
        assert text.count(opening) == text.count(closing)
    assert text.count("'") % 2 == 0 == text.count('"') % 2


@pytest.mark.parametrize(("resource", "tenant"), [("a'b", ""), ("a", "t'; rm")])
def test_a_quote_never_gets_into_the_script(resource: str, tenant: str) -> None:
    """It would end the literal."""
    with pytest.raises(ValueError, match="quote"):
        encoded_script(resource, tenant)


def test_the_command_line_is_short_enough_for_windows() -> None:
    """8191 characters ("Command prompt line string limitation")."""
    assert len(encoded_script("https://" + "x" * 200, "t" * 36)) < 8000


# --- its output


@pytest.mark.parametrize(
    "stdout",
    [
        "azsdk%TOK%1617923581",
        "\r\nazsdk%TOK%1617923581\r\n",
        "Welcome to PowerShell!\nNew version 7.9 is available.\n\nazsdk%TOK%1617923581\nbye",
        "WARNING: azsdk is not this\nazsdk%TOK%1617923581",
    ],
    ids=["alone", "with newlines", "with a message of the day", "with a warning"],
)
def test_the_token_is_found(stdout: str) -> None:
    assert parse_powershell(stdout) == Token("TOK", 1617923581)


@pytest.mark.parametrize(
    "stdout",
    [
        "",
        "hello",
        "azsdk%SECRET",
        "azsdk%SEC%RET%1",
        "azsdk%SECRET%abc",
        "azsdk%SECRET%",
        "azsdk%%1",
        "azsdk%SECRET%-1",
    ],
)
def test_what_is_no_token_is_unexpected_output(stdout: str) -> None:
    """The reason is said without the token."""
    with pytest.raises(UnexpectedOutput) as caught:
        parse_powershell(stdout)

    assert "SEC" not in str(caught.value)


@pytest.mark.parametrize("stdout", ["NO_AZ_ACCOUNT_MODULE", "motd\r\nNO_AZ_ACCOUNT_MODULE\r\n"])
def test_a_missing_module_is_told_apart(stdout: str) -> None:
    with pytest.raises(NoModule):
        parse_powershell(stdout)


@given(st.text() | st.text().map(lambda text: f"azsdk%{text}"))
def test_any_output_is_a_token_or_unexpected(stdout: str) -> None:
    """Nothing else is raised."""
    try:
        assert parse_powershell(stdout).token
    except (UnexpectedOutput, NoModule):
        pass


# --- its errors

CLIXML = (
    "#< CLIXML\r\n"
    '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
    '<Obj S="progress" RefId="0"><TN RefId="0"><T>System.Management.Automation.PSCustomObject</T></TN>'
    "<MS><S N=&quot;x&quot;>Preparing modules for first use.</S></MS></Obj>"
    '<S S="Error">_x001B_[91mGet-AzAccessToken : Run Connect-AzAccount to lo_x000D__x000A_</S>'
    '<S S="Error">gin.  It&apos;s &lt;needed&gt;_x000D__x000A_</S></Objs>'
)
FRAMED = (
    "\x1b[31;1mGet-AzAccessToken: \x1b[0m\n"
    "\x1b[36;1mLine |\x1b[0m\n"
    "\x1b[36;1m  11 | \x1b[0m $answer = \x1b[36;1mGet-AzAccessToken @arguments\x1b[0m\n"
    "\x1b[36;1m     | \x1b[31;1m           ~~~~~~~~~~~~~~~~~~~~~~~~~~~~\x1b[0m\n"
    "\x1b[36;1m     | \x1b[31;1mYour Azure credentials have not been set up or have expired, please run\n"
    "\x1b[36;1m     | \x1b[31;1mConnect-AzAccount to set up your Azure credentials.\x1b[0m\n"
)


def test_serialized_errors_are_read() -> None:
    """Windows PowerShell writes CLIXML, wrapped anywhere; what tells of progress is passed over."""
    assert plain_text(CLIXML) == "Get-AzAccessToken : Run Connect-AzAccount to lo gin. It's <needed>"
    assert plain_text("#< CLIXML\r\n<Objs><Obj S='progress'>Preparing</Obj></Objs>") == ""
    assert plain_text(f"before\n{CLIXML}\nafter") == f"before {plain_text(CLIXML)} after"


def test_the_frame_of_an_error_is_taken_off() -> None:
    """PowerShell 7 draws one, in colours, and wraps the words within it."""
    assert plain_text(FRAMED) == (
        "Get-AzAccessToken: Your Azure credentials have not been set up or have expired, please run Connect-AzAccount "
        "to set up your Azure credentials."
    )


@pytest.mark.parametrize(
    ("text", "phrase", "found"),
    [
        (plain_text(CLIXML), "run connect-azaccount", True),
        (plain_text(CLIXML), "to login", True),
        ("Run Connect-AzAcc ount to login", "run connect-azaccount", True),
        ("RUN CONNECT-AZACCOUNT", "Run Connect-AzAccount", True),
        ("run something else", "Run Connect-AzAccount", False),
    ],
)
def test_phrases_are_found_whatever_became_of_their_blanks(text: str, phrase: str, found: bool) -> None:
    assert says(text, phrase) is found


@given(st.text() | st.text().map(lambda text: "#< CLIXML\n<Objs>" + text))
def test_any_error_output_becomes_one_line(stderr: str) -> None:
    """Nothing is raised."""
    assert plain_text(stderr) == " ".join(plain_text(stderr).split())


def test_a_text_that_opens_objects_and_never_closes_them_is_read_in_linear_time() -> None:
    assert plain_text("#< CLIXML\n" + "<Objs " * 200_000) == ""
