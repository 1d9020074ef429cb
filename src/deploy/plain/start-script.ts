// What goes beside the root of a package that is exported as a plain tree: a script that starts it with a shell, unshare and chroot alone, and
// a page that says what it cannot do.

import { insidePath } from "../../package/container-config.ts";
import type { Descriptor } from "../../package/descriptor.ts";

const machines: Record<string, string> = { amd64: "x86_64", arm64: "aarch64", 386: "i686" };

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** POSIX sh; needs mount, mknod, env and chroot, and unshare where there is one. Busybox has them all. */
export function startScript(descriptor: Descriptor): string {
  const { metadata, origin, environment, identity } = descriptor;
  const words = Object.entries({ PATH: insidePath, ...environment }).map(([name, value]) =>
    quoted(`${name}=${value}`),
  );
  return `#!/bin/sh
# Starts the package ${metadata.name.replaceAll("\n", " ")} from this directory: ./start [@PROGRAM [ARGS] | COMMAND [ARGS]]. README says what it does.
set -eu
die() { echo "start: $*" >&2; exit 125; }
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P) || exit 125
root=$here/rootfs
machine=${quoted(machines[origin.architecture] ?? origin.architecture)}
name=${quoted(identity.hostname ?? "")}

# Runs a command and gives it the signals that come for us; ends with its status.
pass() {
	kill -s "$1" $2 2>/dev/null || :
}
attend() {
	exec 3<&0
	"$@" <&3 3<&- &
	child=$!
	trap 'pass TERM "$(receiver)"' TERM INT HUP
	while :; do
		status=0
		wait "$child" || status=$?
		kill -0 "$child" 2>/dev/null || break
	done
	trap - TERM INT HUP
}
# unshare keeps signals to itself: they are for what it started.
receiver() {
	below=$(cat "/proc/$child/task/$child/children" 2>/dev/null || :)
	if [ "$apart" = 1 ] && [ -n "$below" ]; then echo "$below"; else echo "$child"; fi
}

mounted=''
put() {
	point=$1
	shift
	mkdir -p "$root$point"
	mount "$@" "$root$point" || die "cannot mount $point"
	mounted="$point $mounted"
}
prepare() {
	put /proc -t proc proc
	put /sys -t sysfs -o ro,nosuid,nodev,noexec sysfs
	put /dev -t tmpfs -o mode=755,nosuid,noexec tmpfs
	for one in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
		rest=\${one#*:}
		mknod -m 666 "$root/dev/\${one%%:*}" c "\${rest%:*}" "\${rest#*:}" || die "cannot make devices"
	done
	ln -s /proc/self/fd "$root/dev/fd"
	for one in stdin:0 stdout:1 stderr:2; do ln -s "/proc/self/fd/\${one#*:}" "$root/dev/\${one%:*}"; done
	put /dev/pts -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts
	ln -s pts/ptmx "$root/dev/ptmx"
	put /dev/shm -t tmpfs -o mode=1777,nosuid,nodev tmpfs
	put /run -t tmpfs -o mode=755,nosuid,nodev tmpfs
	mkdir -p "$root/tmp"
	if [ -f "$root/etc/resolv.conf" ] && [ ! -h "$root/etc/resolv.conf" ] && [ -f /etc/resolv.conf ]; then
		mount -o bind /etc/resolv.conf "$root/etc/resolv.conf" && mounted="/etc/resolv.conf $mounted"
	fi
}
chroot=$(command -v chroot) || die "there is no chroot here"
inside() {
	exec env -i ${words.join(" ")} "$chroot" "$root" /.tranship/init "$@"
}

if [ "\${1-}" = --apart ]; then
	shift
	[ -z "$name" ] || hostname "$name" 2>/dev/null || echo "$name" >/proc/sys/kernel/hostname
	prepare
	inside "$@"
fi
[ "$(id -u)" = 0 ] || die "needs root"
[ "$(uname -m)" = "$machine" ] || die "the package is for $machine, this machine is $(uname -m)"
if unshare -m -u -i -p -f true 2>/dev/null; then
	apart=1
	attend unshare -m -u -i -p -f "$0" --apart "$@"
	exit "$status"
fi
echo "start: without unshare mounts, processes and the host name are shared with this machine" >&2
apart=0
prepare
attend inside "$@"
for point in $mounted; do umount -l "$root$point" || :; done
exit "$status"
`;
}

/** What is the same everywhere, and what this package asks for and does not get. */
export function startPage(descriptor: Descriptor): string {
  const lost = [...lostOf(descriptor)];
  const secrets = descriptor.secrets.map((secret) =>
    "path" in secret && secret.path !== undefined
      ? `* the file rootfs${secret.path}: ${secret.reason ?? "a secret"}`
      : `* the variable ${"name" in secret ? secret.name : ""}: add it to the line of \`env\` in start`,
  );
  return `# ${descriptor.metadata.name}

    sudo ./start                      its services, in order, until Ctrl-C or SIGTERM
    sudo ./start @PROGRAM [ARGS]      one of its programs
    sudo ./start COMMAND [ARGS]       any command inside

\`start\` needs sh, mount, mknod and chroot; with unshare the package gets mounts, processes, IPC and a host name of its own. Unpack the
archive as root, with owners and attributes: tar --xattrs --xattrs-include='*' -xpf FILE

It runs in the directory rootfs itself: what it writes stays there, and one copy runs once at a time.
${secrets.length === 0 ? "" : `\nPut in place before the start:\n\n${secrets.join("\n")}\n`}
Not here, other than with \`tranship run\`: a network of its own (ports are opened on this machine), limits of memory, processor and
processes, the filter of system calls and of capabilities, volumes, logs of the runtime, restarts after a reboot.
${lost.length === 0 ? "" : `\nOf its descriptor these are not carried out: ${lost.join(", ")}.\n`}`;
}

function* lostOf(descriptor: Descriptor): Generator<string> {
  const { identity, elements, redirections, limits, syscalls, hooks } = descriptor;
  for (const [key, value] of Object.entries(limits))
    if (value !== null && value !== undefined) yield `limits.${key}`;
  if (syscalls.profile === "learned") yield "syscalls.profile";
  for (const key of ["macAddress", "machineId", "hostId", "domain"] as const)
    if (identity[key] !== null && identity[key] !== undefined && identity[key] !== "")
      yield `identity.${key}`;
  if (elements.clock !== null && elements.clock !== undefined) yield "elements.clock";
  if (elements.uname !== null && elements.uname !== undefined) yield "elements.uname";
  for (const [kind, rules] of Object.entries(redirections))
    if (rules.length > 0) yield `redirections.${kind}`;
  for (const [when, list] of Object.entries(hooks)) if (list.length > 0) yield `hooks.${when}`;
  if (descriptor.links.length > 0) yield "links";
  if (descriptor.excludes.length > 0) yield "excludes";
}
