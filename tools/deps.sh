#!/usr/bin/env bash
# Installs what the tests need from outside Go. Root on a Debian system: through apt-get. Anybody else: names what is missing and goes on;
# the tests that need it then skip by name, and the closing report lists them.
set -euo pipefail

# command=package that brings it
needs=(
	sipp=sip-tester
	sipsak=sipsak
	kamailio=kamailio
	gcc=gcc
	ip=iproute2
	setpriv=util-linux
)
kamailio_modules=kamailio-extra-modules # peers of the comparison: dispatcher, sanity, tmx …

missing=()
for need in "${needs[@]}"; do
	PATH="$PATH:/usr/sbin:/sbin" command -v "${need%%=*}" >/dev/null || missing+=("${need#*=}")
done
[[ " ${missing[*]-} " == *" kamailio "* ]] && missing+=("$kamailio_modules")
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
	echo "missing for some tests: ${missing[*]} (Debian package names). Run 'make test' once as root on Debian, or install them; going on without." >&2
	exit 0
fi

echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { apt-get update -q && apt-get install -y -q --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	echo "apt-get could not install ${missing[*]}; the tests that need them will be skipped by name." >&2
	exit 0
fi
# Debian starts a service when its package arrives; a Kamailio of ours must not hold port 5060 on the tester's machine.
if [[ " ${missing[*]} " == *" kamailio "* ]] && [ -d /run/systemd/system ]; then
	systemctl disable --now kamailio.service >/dev/null 2>&1 || true
fi
