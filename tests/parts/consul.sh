#!/usr/bin/env bash
# The real Consul agent, for the tests of the `consul:` registry: Debian 11's package,
# unpacked under target/parts/consul. Nothing is installed, and apt's own lists, cache
# and sources stay as they are. Sourced or run; what cannot be had is said, and the
# tests then skip it aloud.

fetch_consul() {
    local tree parts apt options
    tree="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
    parts="$tree/target/parts"
    apt="$parts/consul-apt"
    [ -x "$parts/consul/usr/bin/consul" ] && return 0
    if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
        echo "SKIPPED: no apt-get here, so no Consul agent" >&2
        return 1
    fi
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    # The mirror that this machine uses.
    local mirror
    mirror="$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -m1 '/debian/\?$')"
    if [ -z "$mirror" ]; then
        echo "SKIPPED: apt names no mirror of Debian here, so no Consul agent" >&2
        return 1
    fi
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bullseye main" >"$apt/sources.list"
    : >"$apt/status"
    options=(
        -o "Dir::Etc::sourcelist=$apt/sources.list" -o "Dir::Etc::sourceparts=/dev/null"
        -o "Dir::State::lists=$apt/lists" -o "Dir::State::status=$apt/status"
        -o "Dir::Cache=$apt/cache" -o "Acquire::Languages=none"
        -o "Acquire::Check-Valid-Until=false" -o "APT::Sandbox::User=root" -qq
    )
    if (cd "$apt" && apt-get "${options[@]}" update && apt-get "${options[@]}" download consul) &&
        dpkg -x "$apt"/consul_*.deb "$parts/consul"; then
        rm -rf "$apt"
        return 0
    fi
    echo "SKIPPED: Debian 11's package of Consul cannot be had" >&2
    return 1
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    fetch_consul && "$(dirname "$0")/../../target/parts/consul/usr/bin/consul" version | head -1
fi
