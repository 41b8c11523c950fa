#!/usr/bin/env bash
# Install envtree from the revision of this action, and from the registry only packages that the files beside this script
# pin by hash. The arguments `sops` and `kubiya` add the real sops and the libraries for the control plane.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# The working directory is the checkout, which may be a stranger's: Python must not import from there.
if ! python3 -I -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "::error title=envtree::envtree needs Python 3.11 or newer: put actions/setup-python before this step"
  exit 3
fi
folder=$(mktemp -d "$RUNNER_TEMP/envtree-program-XXXXXX")
cd "$folder"
python3 -I -m venv "$folder"
install() { "$folder/bin/python" -I -m pip --quiet --disable-pip-version-check --no-input install "$@"; }
pins=(-r "$here/requirements.txt")
for extra in "$@"; do pins+=(-r "$here/requirements-$extra.txt"); done
install --no-deps --require-hashes --only-binary :all: "${pins[@]}"
install --no-deps --no-index --no-build-isolation "$here/../../.."
echo "program=$folder/bin/envtree" >> "$GITHUB_OUTPUT"
if [[ " $* " == *" sops "* ]]; then echo "sops=$folder/bin/sops" >> "$GITHUB_OUTPUT"; fi
