// What becomes of each path of a package when it is dissolved. Pure.
import type { ByteString } from "../../formats/entry.ts";

/** Directories of which the target has its own content, whatever the package has there. */
const never = /^\/(\.tranship|proc|sys|dev|run|tmp|boot|lost\+found)(\/|$)/;

/** What says which machine it is, or is made by the machine itself. */
const machines =
  /^\/(etc\/(passwd-?|group-?|shadow-?|gshadow-?|subuid-?|subgid-?|hostname|hosts|resolv\.conf|machine-id|ld\.so\.cache|mtab|fstab|adjtime|localtime|timezone|os-release|lsb-release|debian_version|issue(\.net)?|\.pwd\.lock|alternatives\/.*|ssl\/certs\/.*)|var\/lib\/(dpkg|apt|systemd|rpm)\/.*|var\/cache\/(ldconfig|apt|debconf)\/.*|usr\/lib\/python3\/.*\.pyc)$/;

/** Trees of the distribution: what is made in them belongs to nobody. */
const shared = /^\/(usr\/(?!local(\/|$))|usr$|(lib(32|64|x32)?|bin|sbin)(\/|$)|var\/(run|lock)$)/;

export type Sort =
  /** The target's own counts. */
  | "machine"
  /** Of an installed package of the distribution. */
  | "distribution"
  /** A configuration file of such a package: the application's own text may be in it. */
  | "configuration"
  /** Made in a tree of the distribution by nobody's package. */
  | "generated"
  /** In a volume: it changes while the application runs. */
  | "data"
  | "own";

export interface Sorting {
  owners: ReadonlyMap<ByteString, readonly string[]>;
  /** Paths of volumes. */
  volumes: readonly ByteString[];
  /** Whether it is of what every application of the machine needs, whatever the application is. */
  isSystem(path: ByteString): boolean;
}

export function sortOf(path: ByteString, isFile: boolean, { owners, volumes, isSystem }: Sorting): Sort {
  if (never.test(path) || machines.test(path)) return "machine";
  if (volumes.some((volume) => path === volume || path.startsWith(`${volume}/`))) return "data";
  const owned = (owners.get(path)?.length ?? 0) > 0;
  if (owned) return path.startsWith("/etc/") && !isSystem(path) ? "configuration" : "distribution";
  // The bill of materials has regular files alone: links of the distribution are known by where they lie.
  if (shared.test(path)) return isFile ? "generated" : "distribution";
  return isSystem(path) ? "generated" : "own";
}
