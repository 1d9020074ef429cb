// What never enters a package, and what is never swept in as a whole tree. One line, one reason.
import type { ByteString, Entry } from "../formats/entry.ts";
import type { Reason } from "./reason.ts";
import { isBelow } from "./tree.ts";

interface Exclusion {
  /** Everything below, not the directory itself, unless `self`. */
  below: ByteString;
  self?: boolean;
  because: string;
  /** Default: all kinds. "content": directories stay. */
  only?: "content";
  /** A traced or named path passes. */
  unlessUsed?: boolean;
}

const kernel = "part of the kernel, its modules, firmware or boot files";
const exclusions: readonly Exclusion[] = [
  { below: "/proc", because: "made by the kernel" },
  { below: "/sys", because: "made by the kernel" },
  { below: "/dev", because: "made by the kernel" },
  { below: "/boot", because: kernel },
  { below: "/lib/modules", self: true, because: kernel },
  { below: "/usr/lib/modules", self: true, because: kernel },
  { below: "/lib/firmware", self: true, because: kernel },
  { below: "/usr/lib/firmware", self: true, because: kernel },
  { below: "/etc/initramfs-tools", self: true, because: kernel },
  { below: "/usr/share/initramfs-tools", self: true, because: kernel },
  { below: "/etc/grub.d", self: true, because: kernel },
  { below: "/usr/lib/grub", self: true, because: kernel },
  { below: "/run", only: "content", because: "state of the running system" },
  { below: "/tmp", because: "temporary file", unlessUsed: true },
  { below: "/var/tmp", because: "temporary file", unlessUsed: true },
  { below: "/var/cache/apt", because: "cache of the package manager" },
  { below: "/var/cache/dnf", because: "cache of the package manager" },
  { below: "/var/cache/yum", because: "cache of the package manager" },
  { below: "/var/lib/apt/lists", because: "cache of the package manager" },
  { below: "/var/log", only: "content", because: "log file" },
  { below: "/etc/ssl/private", because: "secret", unlessUsed: true, only: "content" },
  { below: "/etc/pki/tls/private", because: "secret", unlessUsed: true, only: "content" },
];

const exactExclusions: Readonly<Record<ByteString, string>> = {
  "/etc/shadow": "secret",
  "/etc/shadow-": "secret",
  "/etc/gshadow": "secret",
  "/etc/gshadow-": "secret",
};

const swapFile = /^\/(swapfile|swap\.img|\.swapfile|swap)$/;
const kernelImage = /^\/(vmlinu[xz]|initrd)[^/]*$/;

/** Why a path may not be packed; undefined where it may. */
export function excludedBecause(entry: Entry, reason: Reason): string | undefined {
  const { path, kind } = entry;
  if (kernelImage.test(path)) return kernel;
  if (reason.kind === "rule")
    return exclusions.find((one) => one.because === kernel && covers(one, entry))?.because;
  if (kind === "socket") return "socket";
  if (kind === "file" && swapFile.test(path)) return "swap file";
  const used = reason.kind === "traced";
  const exact = exactExclusions[path];
  // Named by a configuration it becomes a listed secret; packing keeps it out.
  const named = reason.kind === "configuration";
  if (exact !== undefined && !used && !named) return exact;
  const passes = (one: Exclusion): boolean =>
    one.unlessUsed === true && (used || (named && one.because === "secret"));
  return exclusions.find((one) => covers(one, entry) && !passes(one))?.because;
}

function covers(exclusion: Exclusion, entry: Entry): boolean {
  if (!isBelow(entry.path, exclusion.below)) return false;
  if (entry.path === exclusion.below) return exclusion.self === true;
  return exclusion.only !== "content" || (entry.kind !== "directory" && entry.kind !== "symlink");
}

/** Directories that no rule takes as a whole because something named or listed them: shared by the whole system. */
const neverWhole: ReadonlySet<ByteString> = new Set([
  "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib32", "/lib64", "/libx32", "/media", "/mnt", "/opt", "/proc",
  "/root", "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/usr/bin", "/usr/games", "/usr/include", "/usr/lib", "/usr/lib32",
  "/usr/lib64", "/usr/libexec", "/usr/local", "/usr/local/bin", "/usr/local/etc", "/usr/local/lib", "/usr/local/sbin",
  "/usr/local/share", "/usr/sbin", "/usr/share", "/usr/share/doc", "/usr/share/info", "/usr/share/locale", "/usr/share/man",
  "/usr/src", "/var", "/var/backups", "/var/cache", "/var/lib", "/var/lib/apt", "/var/lib/dpkg", "/var/lib/rpm", "/var/local",
  "/var/lock", "/var/log", "/var/mail", "/var/opt", "/var/run", "/var/spool", "/var/tmp", "/var/www/..", "/run/lock",
  "/etc/alternatives", "/etc/init.d", "/etc/rc.d", "/etc/systemd", "/etc/ssl/private", "/usr/lib/systemd", "/lib/systemd",
]); // biome-ignore format: a table

export function isSweepable(path: ByteString): boolean {
  if (neverWhole.has(path)) return false;
  if (/^\/(home|root|proc|sys|dev|run|boot|tmp)(\/[^/]*)?$/.test(path)) return false;
  // The multiarch library directories are as shared as /usr/lib itself.
  return (
    !/^(\/usr)?\/lib\/[a-z0-9_]+-linux-[a-z0-9]+$/.test(path) && !/^\/etc\/(rc\w\.d|cron\.\w+)$/.test(path)
  );
}

/** Documentation that Debian's own minimal images drop as well: nothing runs from it. */
export function isDocumentation(path: ByteString): boolean {
  return /^\/usr\/(local\/)?share\/(doc|man|info|lintian|doc-base|bug|linda)\//.test(path);
}
