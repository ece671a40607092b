"""The script that asks Azure PowerShell for a token, and how its output reads.

Source: Az.Accounts documentation, `Get-AzAccessToken`. Versions 2.17 to 4 return text unless asked for a SecureString;
from 5 on they always return one.
"""

from __future__ import annotations

import base64
import re
from html import unescape

from .._messages import Token
from .tool_output import UnexpectedOutput

NO_MODULE = "NO_AZ_ACCOUNT_MODULE"
_MARK = "azsdk%"

_SCRIPT = """\
$ErrorActionPreference = 'Stop'
[version]$minimum = '2.2.0'
$module = Import-Module Az.Accounts -MinimumVersion $minimum -PassThru -ErrorAction SilentlyContinue
if (-not $module) {{
    Write-Output '{no_module}'
    exit
}}
$tenantId = '{tenant}'
$arguments = @{{ 'ResourceUrl' = '{resource}'; 'WarningAction' = 'Ignore' }}
if ($tenantId.Length -gt 0) {{ $arguments['TenantId'] = $tenantId }}
if ($module.Version -ge [version]'2.17.0' -and $module.Version -lt [version]'5.0.0') {{ $arguments['AsSecureString'] =
$true }} $answer = Get-AzAccessToken @arguments
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


def plain_text(stderr: str) -> str:
    """The words in what PowerShell writes to standard error: without CLIXML, control sequences and repeated blanks."""
    text = stderr
    if "#< CLIXML" in text:
        text = "".join(re.findall(r'<S S="Error">(.*?)</S>', text, re.DOTALL)) or text
        text = re.sub(r"_x([0-9A-Fa-f]{4})_", lambda match: chr(int(match[1], 16)), unescape(text))
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)
    return " ".join(text.split())
