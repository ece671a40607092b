"""The script that asks Azure PowerShell for a token, and how its output reads.

Source: Az.Accounts documentation, `Get-AzAccessToken`. Versions 2.17 to 4 return text unless asked for a SecureString;
from 5 on they always return one.
"""

from __future__ import annotations

import base64
import re
from html import unescape

from .._values.messages import Token
from .tool_output import UnexpectedOutput

NO_MODULE = "NO_AZ_ACCOUNT_MODULE"
_MARK = "azsdk%"

_SCRIPT = """\
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
[version]$minimum = '2.2.0'
$module = Import-Module Az.Accounts -MinimumVersion $minimum -PassThru -ErrorAction SilentlyContinue
if (-not $module) {{
    Write-Output '{no_module}'
    exit
}}
$tenantId = '{tenant}'
$arguments = @{{ 'ResourceUrl' = '{resource}'; 'WarningAction' = 'Ignore' }}
if ($tenantId.Length -gt 0) {{ $arguments['TenantId'] = $tenantId }}
if ($module.Version -ge [version]'2.17.0' -and $module.Version -lt [version]'5.0.0') {{
    $arguments['AsSecureString'] = $true
}}
$answer = Get-AzAccessToken @arguments
$text = $answer.Token
if ($text -is [System.Security.SecureString]) {{
    if ($PSVersionTable.PSVersion.Major -ge 7) {{
        $text = ConvertFrom-SecureString -SecureString $text -AsPlainText
    }} else {{
        $pointer = [System.Runtime.InteropServices.Marshal]::SecureStringToBSTR($text)
        try {{
            $text = [System.Runtime.InteropServices.Marshal]::PtrToStringBSTR($pointer)
        }} finally {{
            [System.Runtime.InteropServices.Marshal]::ZeroFreeBSTR($pointer)
        }}
    }}
}}
Write-Output "`n{mark}$text%$($answer.ExpiresOn.ToUnixTimeSeconds())`n"
"""


class NoModule(Exception):
    """The module Az.Accounts is not installed, or is too old."""


def encoded_script(resource: str, tenant: str) -> str:
    """The argument of `-EncodedCommand`: the script in UTF-16LE, base64.

    Both values stand inside single quotes, so the caller validates them: neither may contain one.
    """
    if "'" in resource or "'" in tenant:
        raise ValueError("A resource or tenant contains a quote.")
    script = _SCRIPT.format(no_module=NO_MODULE, tenant=tenant, resource=resource, mark=_MARK)
    return base64.b64encode(script.encode("utf-16-le")).decode("ascii")


def parse_powershell(stdout: str) -> Token:
    """The token in what the script prints.

    :raises NoModule: the script found no usable Az.Accounts.
    :raises UnexpectedOutput: there is no token that can be read in it.
    """
    words = stdout.split()
    for word in words:
        if word.startswith(_MARK):
            parts = word.split("%")
            if len(parts) == 3 and parts[1] and re.fullmatch(r"\d{1,12}", parts[2]):
                return Token(parts[1], int(parts[2]))
            raise UnexpectedOutput("the line with the token is not of the form the script writes")
    if NO_MODULE in words:
        raise NoModule
    raise UnexpectedOutput("the output has no token")


def without_token(stdout: str) -> str:
    """The script's output, fit for a message: what stands where the token would is left out, whatever it is."""
    return re.sub(rf"{_MARK}\S*", f"{_MARK}***", stdout)


_OBJECTS = re.compile(r"#< CLIXML\s*|<Objs\b.*?(?:</Objs>|\Z)", re.DOTALL)
_ERROR = re.compile(r'<S S="Error">(.*?)</S>', re.DOTALL)
_CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# The frame PowerShell 7 draws around a message: which line of the script it was, and what is wrong there.
_FRAME = re.compile(r"^[ \t]*(?:Line[ \t]*\|[ \t]*$|[0-9]+[ \t]*\|.*$|\|[ \t]*~+[ \t]*$|\|[ \t])", re.MULTILINE)


def plain_text(stderr: str) -> str:
    """The words in what PowerShell writes to standard error: without CLIXML, control sequences, frames and repeated
    blanks."""
    text = _OBJECTS.sub(_errors_in, stderr) if "#< CLIXML" in stderr else stderr
    text = _FRAME.sub("", _CONTROL.sub("", text))
    return " ".join(text.split())


def _errors_in(objects: re.Match[str]) -> str:
    """The error texts of serialized objects; what tells of progress is passed over."""
    text = unescape("".join(_ERROR.findall(objects[0])))
    return re.sub(r"_x([0-9A-Fa-f]{4})_", lambda match: chr(int(match[1], 16)), text)


def says(text: str, phrase: str) -> bool:
    """Whether a text contains a phrase, without regard to case and blanks: Windows PowerShell breaks lines anywhere,
    within words too."""
    return "".join(phrase.lower().split()) in "".join(text.lower().split())
