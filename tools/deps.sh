#!/usr/bin/env bash
# Installs what the tests need from outside Go. Root on a Debian system: through apt-get. Anybody else: names what is missing and goes on;
# the tests that need it then skip by name, and the closing report lists them. With --list it only says what it would install.
set -euo pipefail
cd "$(dirname "$0")/.."

# command=package that brings it, or a file of that package where it has no command
needs=(
	sipp=sip-tester
	sipsak=sipsak
	kamailio=kamailio
	/usr/lib/*/kamailio/modules/tmx.so=kamailio-extra-modules # peers of the comparison: dispatcher, sanity, tmx …
	/usr/lib/*/kamailio/modules/json.so=kamailio-json-modules
	/usr/lib/*/kamailio/modules/tls.so=kamailio-tls-modules
	/usr/lib/*/kamailio/modules/websocket.so=kamailio-websocket-modules
	gcc=gcc
	ip=iproute2
	setpriv=util-linux
	openssl=openssl
	groff=groff-base # sets the manual pages
	tcpdump=tcpdump  # reads the captures of viaductctl trace
	unbound=unbound # resolvers between the proxy and a test's nameserver
	dnsmasq=dnsmasq-base
	promtool=prometheus # reads what /metrics says
	chromium=chromium # two of them call each other
	npm=npm           # brings nodejs
)

# there tells whether a command or a file is on this machine.
there() {
	case $1 in
	/*) compgen -G "$1" >/dev/null ;;
	*) PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null ;;
	esac
}

# install brings packages where that is possible.
install() {
	if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
		echo "missing for some tests: $* (Debian package names). Run 'make test' once as root on Debian, or install them; going on without." >&2
		return
	fi
	echo "installing for the tests, with apt-get: $*"
	export DEBIAN_FRONTEND=noninteractive
	log=$(mktemp)
	trap 'rm -f "$log"' EXIT
	if ! { apt-get update -q && apt-get install -y -q --no-install-recommends "$@"; } >"$log" 2>&1; then
		tail -n 20 "$log" >&2
		echo "apt-get could not install $*; the tests that need them will be skipped by name." >&2
		return
	fi
	# Debian starts a service when its package arrives; a Kamailio or unbound of ours must not hold a well-known port on the tester's machine.
	if [ -d /run/systemd/system ]; then
		for service in kamailio unbound prometheus; do
			if [[ " $* " == *" $service "* ]]; then
				systemctl disable --now "$service.service" >/dev/null 2>&1 || true
			fi
		done
	fi
}

missing=()
for need in "${needs[@]}"; do
	there "${need%=*}" || missing+=("${need##*=}")
done
if [ "${1:-}" = --list ]; then # says what it would do, and does nothing
	printf 'the tests use these Debian packages:'
	printf ' %s' "${needs[@]##*=}"
	printf '\nmissing here: %s\n' "${missing[*]:-none}"
	echo "and the npm packages of tools/outside/browser/package-lock.json, in that folder"
	exit 0
fi
if [ ${#missing[@]} -gt 0 ]; then
	install "${missing[@]}"
fi

# What the page of the browsers loads, in the versions of package-lock.json: beside the page, by anybody who has npm.
page=tools/outside/browser
if [ "$page/node_modules/.package-lock.json" -nt "$page/package-lock.json" ]; then
	exit 0
fi
if ! there npm; then
	echo "without npm the packages in $page are missing; the call between two browsers will be skipped by name." >&2
elif ! log=$(cd "$page" && npm ci --ignore-scripts --no-audit --no-fund 2>&1); then
	tail -n 20 <<<"$log" >&2
	echo "npm ci failed in $page; the call between two browsers will be skipped by name." >&2
fi
