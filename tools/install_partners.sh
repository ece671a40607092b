#!/bin/sh
# Install the partner programs that tests/partners and tests/hermetic run: Azurite and the Azure CLI.
# They go into $PARTNERS_HOME, outside of this checkout, each once and under its version. Needs Python, node and npm.
set -eu

home=${PARTNERS_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/azure-identity-partners}
azurite=3.35.0
azure_cli=2.91.0
azure_mgmt_resource=24.0.0    # the one this Azure CLI asks for

attempt() {    # registries fail now and then: three attempts
    "$@" || { sleep 5; "$@"; } || { sleep 15; "$@"; }
}

# The mark is written last, so a run that was cut short is done again.
installed() { [ -e "$home/$1/.complete" ]; }
begin() { echo "Installing $1 into $home ..."; rm -rf "${home:?}/$1"; mkdir -p "$home/$1"; }
complete() { touch "$home/$1/.complete"; }

if ! installed "azurite-$azurite"; then
    command -v npm >/dev/null || { echo "Azurite needs node and npm (apt-get install nodejs npm)." >&2; exit 1; }
    begin "azurite-$azurite"
    attempt npm install --silent --no-audit --no-fund --prefix "$home/azurite-$azurite" "azurite@$azurite"
    complete "azurite-$azurite"
fi

# The whole Azure CLI is 700 MB. Signing in and asking for tokens needs only these; they live in an environment of their
# own, because the Azure CLI pins versions of libraries that the project uses too.
if ! installed "azure-cli-$azure_cli"; then
    begin "azure-cli-$azure_cli"
    "${PYTHON:-python3}" -m venv "$home/azure-cli-$azure_cli"
    set -- --disable-pip-version-check --quiet --quiet install
    attempt "$home/azure-cli-$azure_cli/bin/python" -m pip "$@" \
        "azure-cli-core==$azure_cli" "azure-mgmt-resource==$azure_mgmt_resource" msrest
    attempt "$home/azure-cli-$azure_cli/bin/python" -m pip "$@" --no-deps "azure-cli==$azure_cli"
    complete "azure-cli-$azure_cli"
fi
