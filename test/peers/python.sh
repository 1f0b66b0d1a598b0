#!/usr/bin/env bash
# Installs the pinned Python peers (see requirements.txt) into an environment of their
# own and prints the path of its interpreter.
# Exit 3, with the reason on standard error: they cannot be had here.
set -euo pipefail

requirements="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/requirements.txt"

unavailable() {
	echo "python peers: $1" >&2
	exit 3
}

python="$(command -v python3)" || unavailable "python3 is not installed"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || unavailable "python3 is older than 3.11"

# An environment holds compiled code and absolute paths: another interpreter or other
# requirements make another one.
sum="$({ cat "$requirements"; "$python" -c 'import sys; print(sys.version, sys.prefix)'; } | sha256sum | cut -c1-16)"
home="${COFFER_PEERS:-$HOME/.cache/coffer-peers}/python-$sum"
if [[ -e "$home/complete" ]]; then
	echo "$home/bin/python"
	exit 0
fi

# One run installs, others wait for it.
mkdir -p "$(dirname "$home")" || unavailable "cannot write $(dirname "$home")"
exec 9>"$home.lock"
flock --timeout 600 9 || unavailable "another installation does not end"
if [[ ! -e "$home/complete" ]]; then
	rm -rf "$home"
	"$python" -m venv "$home" >&2 || unavailable "venv does not work with $python"
	"$home/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --retries 1 --timeout 30 \
		--require-hashes --only-binary :all: --requirement "$requirements" >&2 ||
		unavailable "the package index does not give what is pinned"
	touch "$home/complete"
fi
echo "$home/bin/python"
