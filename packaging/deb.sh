#!/usr/bin/env bash
# Makes bin/viaduct_VERSION_ARCH.deb from what make has built. Needs dpkg-deb; lintian looks at it where it is installed.
set -euo pipefail
cd "$(dirname "$0")/.."

arch=$(dpkg --print-architecture)
version=$(bin/viaduct -V | sed -n 's/^version: viaduct \([0-9.]*\) .*/\1/p')
# The time of the last commit: the same source makes the same package.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
# Who makes the package should say so; the default is an address that cannot exist.
maintainer=${MAINTAINER:-The Viaduct authors <packages@viaduct.example>}
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
root=$stage/root
doc=$root/usr/share/doc/viaduct

# put copies a file to where its packaged name says, mode 0644 unless another is given.
put() { install -D -m "${3:-0644}" "$1" "$root$2"; }

put bin/viaduct /usr/sbin/viaduct 0755
put bin/viaductctl /usr/bin/viaductctl 0755
strip --strip-unneeded "$root/usr/sbin/viaduct" "$root/usr/bin/viaductctl" 2>/dev/null || true
for page in viaduct.8 viaduct.cfg.5 viaductctl.1; do
	put "bin/man/$page" "/usr/share/man/man${page##*.}/$page"
	gzip -9n "$root/usr/share/man/man${page##*.}/$page"
done
for shell in bash/bash-completion/completions/viaductctl zsh/zsh/vendor-completions/_viaductctl \
	fish/fish/vendor_completions.d/viaductctl.fish; do
	target=$root/usr/share/${shell#*/}
	mkdir -p "$(dirname "$target")"
	bin/viaductctl completion "${shell%%/*}" >"$target"
	chmod 0644 "$target"
done
put packaging/viaduct.service /lib/systemd/system/viaduct.service
put packaging/dispatcher.list /etc/viaduct/dispatcher.list
{
	cat packaging/viaduct.cfg
	bin/viaduct --print-config | sed '1d'
} >"$stage/viaduct.cfg"
bin/viaduct -c -f "$stage/viaduct.cfg" >/dev/null
put "$stage/viaduct.cfg" /etc/viaduct/viaduct.cfg
put packaging/60-viaduct.conf /usr/share/doc/viaduct/examples/60-viaduct.conf
put packaging/debian/copyright /usr/share/doc/viaduct/copyright
cat >"$stage/changelog" <<END
viaduct ($version) stable; urgency=medium

  * See CHANGELOG.md.

 -- $maintainer  $(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")
END
put "$stage/changelog" /usr/share/doc/viaduct/changelog
gzip -9n "$doc/changelog"
make -s install-docs DESTDIR="$root" PREFIX=/usr
rm -f "$doc/LICENSE" # it is in copyright

mkdir -p "$root/DEBIAN"
size=$(du -k -s --apparent-size "$root" | cut -f1)
sed -e "s/@VERSION@/$version/; s/@ARCH@/$arch/; s/@SIZE@/$size/; s|@MAINTAINER@|$maintainer|" packaging/debian/control >"$root/DEBIAN/control"
printf '%s\n' /etc/viaduct/viaduct.cfg /etc/viaduct/dispatcher.list >"$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do
	install -m 0755 "packaging/debian/$script" "$root/DEBIAN/$script"
done
put packaging/debian/lintian-overrides /usr/share/lintian/overrides/viaduct
(cd "$root" && find . -type f -not -path './DEBIAN/*' -not -path './etc/*' -printf '%P\0' | LC_ALL=C sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
package=bin/viaduct_${version}_$arch.deb
dpkg-deb --root-owner-group -Zxz --build "$root" "$package" >/dev/null
echo "$package"
if command -v lintian >/dev/null; then
	lintian --allow-root --tag-display-limit 0 --fail-on error,warning "$package"
fi
