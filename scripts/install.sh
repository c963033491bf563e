#!/bin/sh
# install.sh ROOT: `npm ci` in ROOT, unless the installed packages already match package-lock.json.
set -eu
root=$1
stamp=$root/node_modules/.berth-lock
if [ -x "$root/node_modules/.bin/bun" ] && cmp -s "$root/package-lock.json" "$stamp"; then exit 0; fi
command -v npm >/dev/null 2>&1 || { echo "berth: npm is not installed; install Node.js 20 or newer with npm, then try again" >&2; exit 1; }
# Two that start at once would empty each other's node_modules.
if command -v flock >/dev/null 2>&1; then
  exec 9>"${TMPDIR:-/tmp}/berth-install-$(printf %s "$root" | cksum | cut -d' ' -f1).lock"
  flock 9
  if [ -x "$root/node_modules/.bin/bun" ] && cmp -s "$root/package-lock.json" "$stamp"; then exit 0; fi
fi
echo "berth: installing packages (once)" >&2
(cd "$root" && npm ci --no-audit --no-fund --loglevel=error >&2) || { echo "berth: npm ci failed; see above" >&2; exit 1; }
cp "$root/package-lock.json" "$stamp"
