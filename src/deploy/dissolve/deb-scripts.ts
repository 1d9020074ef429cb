// Scripts of a package of Debian that a dissolve makes. POSIX sh; only what every Debian has. Each may be run twice.

/** `shared`: the directory with the lists and with what dpkg does not put in place. */
export function debScripts(name: string, shared: string): Record<"postinst" | "prerm" | "postrm", string> {
  const head = `#!/bin/sh\nset -e\nD=${shared}\nS=/var/lib/tranship-dissolved/${name}.deb\nT=$(printf '\\t')\n`;
  return {
    postinst: `${head}${postinst}`,
    prerm: `${head}${prerm}`,
    postrm: `${head}${postrm}`,
  };
}

const postinst = `[ "$1" = configure ] || exit 0
mkdir -p "$S/saved"

# Users and groups that are not there; by their numbers where these are free.
while IFS=$T read -r name gid; do
	getent group "$name" >/dev/null && continue
	getent group "$gid" >/dev/null && groupadd --system "$name" || groupadd --gid "$gid" "$name"
done <"$D/groups.list"
while IFS=$T read -r name uid group home shell; do
	getent passwd "$name" >/dev/null && continue
	if getent passwd "$uid" >/dev/null; then set -- --system; else set -- --uid "$uid"; fi
	useradd "$@" --gid "$group" --home-dir "$home" --no-create-home --shell "$shell" "$name"
done <"$D/users.list"

# By name: numbers may be others here. Ownership first, as a change of it takes set-id bits away.
while IFS=$T read -r mode owner path; do
	chown -h "$owner" "$path"
	[ "$mode" = link ] || chmod "$mode" "$path"
done <"$D/owners.list"

# Configuration of other packages: what is there is kept for the removal.
while read -r path; do
	cmp -s "$D/replace$path" "$path" && continue
	mkdir -p "$S/saved\${path%/*}" "\${path%/*}"
	if [ -e "$path" ] && [ ! -e "$S/saved$path" ]; then cp -a "$path" "$S/saved$path"; fi
	cp -a "$D/replace$path" "$path"
done <"$D/replace.list"

# What belongs to no package, where it is missing.
while read -r path; do
	if [ -e "$path" ] || [ -L "$path" ]; then continue; fi
	if [ -d "$D/absent$path" ] && [ ! -L "$D/absent$path" ]; then
		mkdir -p "$path"
		chown --reference="$D/absent$path" "$path"
		chmod --reference="$D/absent$path" "$path"
	else
		mkdir -p "\${path%/*}"
		cp -a "$D/absent$path" "$path"
	fi
	printf '%s\\n' "$path" >>"$S/absent.list"
done <"$D/absent.list"

# Data, where there is none yet.
while read -r path; do
	[ -d "$D/data$path" ] || continue
	[ -d "$path" ] && [ -n "$(ls -A "$path")" ] && continue
	mkdir -p "\${path%/*}"
	rm -rf "$path.dissolving"
	cp -a "$D/data$path" "$path.dissolving"
	if [ -d "$path" ]; then rmdir "$path"; fi
	mv "$path.dissolving" "$path"
done <"$D/volumes.list"

ldconfig
# Units, where nobody has one of that name.
if [ -d "$D/units" ]; then
	(cd "$D/units" && find . -type f) | while read -r file; do
		path=\${file#.}
		base=\${path##*/}
		# What a unit does before its start is a service of its own in a descriptor.
		main=$(printf '%s' "$base" | sed 's/-before-[0-9]*\\.service$/.service/')
		case $path in *.service)
			[ -e "/lib/systemd/system/$base" ] || [ -e "/lib/systemd/system/$main" ] && continue ;;
		esac
		[ -e "$path" ] && continue
		mkdir -p "\${path%/*}"
		cp "$D/units$path" "$path"
		printf '%s\\n' "$path" >>"$S/units.list"
		case $path in *.service)
			mkdir -p /etc/systemd/system/multi-user.target.wants
			ln -sf "$path" "/etc/systemd/system/multi-user.target.wants/$base" ;;
		esac
	done
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	[ ! -e "$S/units.list" ] || sed -n 's,.*/\\(.*\\.service\\)$,\\1,p' "$S/units.list" | xargs -r systemctl start || true
fi
exit 0
`;

const prerm = `[ "$1" = remove ] || exit 0
if [ -e "$S/units.list" ]; then
	while read -r path; do
		base=\${path##*/}
		[ ! -d /run/systemd/system ] || systemctl stop "$base" || true
		rm -f "$path" "/etc/systemd/system/multi-user.target.wants/$base"
	done <"$S/units.list"
fi
if [ -e "$S/absent.list" ]; then
	sort -r "$S/absent.list" | while read -r path; do
		if [ -L "$path" ]; then
			[ "$(readlink "$path")" != "$(readlink "$D/absent$path")" ] || rm -f "$path"
		elif [ -d "$path" ]; then
			rmdir "$path" 2>/dev/null || true
		elif cmp -s "$D/absent$path" "$path"; then
			rm -f "$path"
		fi
	done
fi
while read -r path; do
	[ -e "$S/saved$path" ] || continue
	if cmp -s "$D/replace$path" "$path"; then cp -a "$S/saved$path" "$path"; fi
done <"$D/replace.list"
exit 0
`;

const postrm = `case $1 in
remove)
	rm -rf "$S"
	rmdir /var/lib/tranship-dissolved 2>/dev/null || true
	[ ! -d /run/systemd/system ] || systemctl daemon-reload
	ldconfig ;;
esac
exit 0
`;
