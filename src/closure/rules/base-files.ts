/**
 * What every root file system needs, whoever runs in it.
 *
 * Why: libraries look these up for other reasons than the program's own (a user's name, a service's port, a certificate,
 * a terminal's keys), and system(3), popen(3) and cron call /bin/sh. Directories that programs take for granted are kept
 * with their owner and mode, without what is in them. resolv.conf is the runtime's to give.
 */
import type { Rule } from "../rule.ts";

const files = [
  "/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/subuid", "/etc/subgid", "/etc/hosts", "/etc/host.conf", "/etc/hostname",
  "/etc/gai.conf", "/etc/services", "/etc/protocols", "/etc/networks", "/etc/rpc", "/etc/ethers", "/etc/nsswitch.conf", "/etc/login.defs",
  "/etc/os-release", "/usr/lib/os-release", "/etc/debian_version", "/etc/lsb-release", "/etc/redhat-release", "/etc/centos-release",
  "/etc/system-release", "/etc/alpine-release", "/etc/SuSE-release", "/etc/issue", "/etc/issue.net", "/etc/mime.types", "/etc/magic", "/etc/shells",
  "/etc/environment", "/etc/profile", "/etc/locale.alias", "/etc/default/locale", "/etc/locale.conf", "/etc/securetty",
  "/etc/mtab", "/etc/adjtime", "/etc/nologin", "/etc/inputrc", "/bin/sh",
]; // biome-ignore format: a table

const trees: ReadonlyArray<readonly [string, string]> = [
  ["/etc/ssl", "certificates"],
  ["/usr/share/ca-certificates", "certificates"],
  ["/usr/local/share/ca-certificates", "certificates"],
  ["/etc/ca-certificates", "certificates"],
  ["/etc/ca-certificates.conf", "certificates"],
  // Where libssl of Debian looks: links to the above.
  ["/usr/lib/ssl", "certificates"],
  ["/etc/pki/tls", "certificates"],
  ["/etc/pki/ca-trust/extracted", "certificates"],
  ["/lib/terminfo", "terminals"],
  ["/etc/terminfo", "terminals"],
  // Those that people log in from; the whole of ncurses-term has 2,700.
  ...[..."AEacdefgklmnprstvwx"].map((letter) => [`/usr/share/terminfo/${letter}`, "terminals"] as const),
  ["/etc/profile.d", "login shells"],
];

const directories = [
  "/", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/local/bin", "/usr/local/sbin",
  "/usr/local/lib", "/etc", "/home", "/root", "/opt", "/srv", "/mnt", "/media", "/tmp", "/var/tmp", "/run", "/run/lock", "/var/run", "/var/lock",
  "/var/log", "/var/lib", "/var/cache", "/var/spool", "/var/mail", "/dev", "/proc", "/sys",
]; // biome-ignore format: a table

export function baseFiles(): Rule {
  return {
    name: "base",
    async start(_scene, emit) {
      for (const path of directories) emit.add(path, { kind: "base", detail: "directories" });
      for (const path of files) emit.add(path, { kind: "base", detail: "system files" });
      for (const [path, detail] of trees) emit.tree(path, { kind: "base", detail });
    },
  };
}
