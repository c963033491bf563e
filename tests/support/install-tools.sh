#!/bin/sh
# install-tools.sh: installs the programs that the test suites drive, on Debian, as root. Does nothing for what is
# there already, so it may run before every test run. Starts no service and leaves the apt sources as they are.
set -eu
newer=/opt/berth-test-tools
plugins=/usr/local/lib/docker/cli-plugins

if [ "$(id -u)" != 0 ]; then echo "install-tools: not root; nothing installed" >&2; exit 0; fi
if ! command -v apt-get >/dev/null 2>&1; then echo "install-tools: no apt-get; nothing installed" >&2; exit 0; fi
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# have PROGRAM: in PATH, or a file by that pattern
have() {
  case $1 in
    /*) for file in $1; do [ -e "$file" ] && return 0; done; return 1 ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
  esac
}

# A package is named only when its program is missing: a machine with another vendor's engine keeps it.
missing=
while read -r program package; do
  have "$program" || missing="$missing $package"
done <<'LIST'
dockerd docker.io
docker docker.io
containerd containerd
ctr containerd
runc runc
iptables iptables
cgroupfs-mount cgroupfs-mount
skopeo skopeo
podman podman
conmon conmon
/usr/lib/podman/netavark netavark
buildah buildah
/usr/share/doc/busybox-static busybox-static
debootstrap debootstrap
/usr/share/keyrings/debian-archive-keyring.gpg debian-archive-keyring
docker-registry docker-registry
wrk wrk
strace strace
/usr/lib/postgresql/*/bin/postgres postgresql
nginx nginx
apache2 apache2
caddy caddy
openssl openssl
pebble pebble
chromium-headless-shell chromium-headless-shell
/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc fonts-noto-cjk
openssl openssl
curl curl
ip iproute2
ps procps
jq jq
promtool prometheus
xz xz-utils
gcc gcc
/lib/systemd/systemd systemd
/lib/ld-musl-x86_64.so.1 musl
qemu-aarch64-static qemu-user-static
/etc/ssl/certs/ca-certificates.crt ca-certificates
LIST

# In a container /usr/sbin/policy-rc.d forbids starting services; elsewhere it is put there while packages unpack.
if [ -n "$missing" ]; then
  echo "install-tools: installing$missing" >&2
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  log=$(mktemp)
  # shellcheck disable=SC2086 # a list of words
  { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1 ||
    { cat "$log" >&2; rm -f "$log"; exit 1; }
  rm -f "$log"
fi

# The engine needs the cgroup hierarchies, which a machine without systemd may not have mounted.
if ! grep -qE ' cgroup2? ' /proc/mounts; then cgroupfs-mount || echo "install-tools: cannot mount cgroups" >&2; fi

# A newer engine, its client, containerd, the client's plug-ins, and kubectl, from Debian 13. They run with Debian 12's C
# library but their packages would replace this release's, so they are unpacked aside and not installed. The
# package lists are kept apart from the system's for the same reason.
if [ ! -e "$newer/complete" ] || [ ! -e "$newer/usr/bin/kubectl" ]; then
  echo "install-tools: unpacking a newer Docker Engine and kubectl to $newer" >&2
  work=$(mktemp -d)
  # apt reads and writes as the user _apt
  chmod 755 "$work"
  mkdir -p "$work/lists/partial" "$work/packages"
  chown -R _apt "$work" 2>/dev/null || true
  mirror=$(apt-get indextargets --format '$(REPO_URI) $(COMPONENT)' 'Created-By: Packages' |
    awk '$2 == "main" && $1 !~ /security/ { print $1; exit }')
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" > "$work/sources.list"
  (
    cd "$work/packages"
    set -- -qq -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$work/lists" \
      -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
    apt-get "$@" update >&2
    apt-get "$@" download docker.io docker-cli docker-buildx docker-compose containerd kubectl/trixie >&2
  )
  rm -rf "$newer"
  mkdir -p "$newer"
  for package in "$work"/packages/*.deb; do dpkg-deb -x "$package" "$newer"; done
  rm -rf "$newer/usr/share" "$newer/etc" "$newer/lib" "$newer/usr/lib/systemd" "$work"
  touch "$newer/complete"
fi
for plugin in docker-buildx docker-compose; do
  found=
  for folder in /usr/lib/docker /usr/libexec/docker /usr/local/lib/docker /usr/local/libexec/docker; do
    [ -e "$folder/cli-plugins/$plugin" ] && found=yes
  done
  if [ -z "$found" ]; then
    mkdir -p "$plugins"
    ln -sf "$newer/usr/libexec/docker/cli-plugins/$plugin" "$plugins/$plugin"
  fi
done
