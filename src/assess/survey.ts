// One walk over the machine's files that collects what the rules ask about. Every list is bounded; counts are whole.

import { networkTypes } from "../discover/file-systems.ts";
import type { Inventory } from "../discover/inventory.ts";
import type { ByteString, Entry } from "../formats/entry.ts";
import { isUnreadable, type Machine, type Unreadable } from "../machine/machine.ts";

const maxList = 5000;

export interface SizedPath {
  path: ByteString;
  bytes: number;
}

export interface Survey {
  files: number;
  /** Bytes on disk (holes left out), kernel file systems and network mounts left out. */
  bytes: number;
  /** Bytes by directory of the first two levels, for databases and top offenders. */
  directories: Map<ByteString, number>;
  setId: { path: ByteString; mode: number }[];
  capabilities: ByteString[];
  /** Device nodes outside /dev. */
  devices: ByteString[];
  /** Swap files, core dumps. */
  swapLike: SizedPath[];
  caches: SizedPath[];
  /** Files whose names are those of keys and of password stores. */
  secretLike: ByteString[];
  licenceLike: ByteString[];
  /** Text files of configuration, small ones. */
  configuration: ByteString[];
  /** Executables below /opt, /usr/local, /srv, /home and new top directories. */
  ownPrograms: ByteString[];
  /** Kernel modules outside /lib/modules/RELEASE/kernel. */
  foreignModules: ByteString[];
  unreadable: Unreadable[];
  unreadableCount: number;
}

const kernelDirectories = ["/proc", "/sys", "/dev", "/run"];
const distribution =
  /^\/(bin|sbin|lib|lib32|lib64|libx32|boot|etc|var|tmp|root|run|media|mnt|lost\+found|usr\/(bin|sbin|lib|lib32|lib64|libexec|libx32|share|include|src|games))(\/|$)/;
const keyName =
  /(^id_(rsa|dsa|ecdsa|ed25519)$|^ssh_host_.*_key$|\.(key|pem|p12|pfx|jks|keystore|ppk|kdbx|keytab)$|^krb5\.keytab$|^\.(pgpass|my\.cnf|netrc|htpasswd)$|^(shadow|gshadow|htpasswd|debian\.cnf|\.env)$)/;
const licenceName = /(\.(lic|licen[cs]e)$|^(licen[cs]e)\.(dat|key|xml|bin|file)$|^hostid$)/i;
const documentation =
  /^\/usr\/(share\/(doc|licenses|man|info|perl|python3?|ca-certificates|nmap)|lib\/python|include|src)\//;

const commands = /^(\/usr(\/local)?)?\/s?bin\//;

export async function survey(machine: Machine, inventory: Inventory): Promise<Survey> {
  const found: Survey = {
    files: 0,
    bytes: 0,
    directories: new Map(),
    setId: [],
    capabilities: [],
    devices: [],
    swapLike: [],
    caches: [],
    secretLike: [],
    licenceLike: [],
    configuration: [],
    ownPrograms: [],
    foreignModules: [],
    unreadable: [],
    unreadableCount: 0,
  };
  const network = inventory.fileSystems.mounted
    .filter((mount) => networkTypes.test(mount.type))
    .map((mount) => mount.mountPoint);
  const swaps = new Set(inventory.fileSystems.swaps);
  const hardLinks = new Set<string>();
  for await (const entry of machine.files.walk("/", { exclude: [...kernelDirectories, ...network] })) {
    if (isUnreadable(entry)) {
      found.unreadableCount++;
      add(found.unreadable, entry);
      continue;
    }
    found.files++;
    noteKind(found, entry);
    if (entry.kind !== "file") continue;
    if (entry.nlink > 1) {
      const key = `${entry.dev}:${entry.ino}`;
      if (hardLinks.has(key)) continue;
      if (hardLinks.size < 1_000_000) hardLinks.add(key);
    }
    noteFile(found, entry, swaps);
  }
  return found;
}

function add<T>(list: T[], value: T): void {
  if (list.length < maxList) list.push(value);
}

function noteKind(found: Survey, entry: Entry): void {
  if (entry.kind === "character" || entry.kind === "block") {
    const whiteout = entry.rdevMajor === 0 && entry.rdevMinor === 0;
    if (!whiteout && !/\/dev\//.test(entry.path)) add(found.devices, entry.path);
  }
}

function noteFile(found: Survey, entry: Entry, swaps: ReadonlySet<ByteString>): void {
  const { path, mode, size } = entry;
  const bytes = entry.blocks * 512;
  const name = path.slice(path.lastIndexOf("/") + 1);
  found.bytes += bytes;
  addSizes(found.directories, path, bytes);
  if ((mode & 0o6000) !== 0 && (mode & 0o111) !== 0) add(found.setId, { path, mode });
  if (entry.xattrs.some(([attribute]) => attribute === "security.capability")) add(found.capabilities, path);
  if (swaps.has(path) || /^(swapfile|pagefile|.*\.swap|\.?swap\.img)$/.test(name))
    add(found.swapLike, { path, bytes });
  else if (/^(core(\.\d+)?|vmcore.*|.*\.hprof)$/.test(name) && bytes > 1 << 20)
    add(found.swapLike, { path, bytes });
  else if (bytes > 64 << 20 && /^\/(var\/(cache|tmp|lib\/apt\/lists|lib\/snapd)|tmp)\//.test(path))
    add(found.caches, { path, bytes });
  if (!documentation.test(path) && !commands.test(path) && size < 1 << 20) {
    if (keyName.test(name)) add(found.secretLike, path);
    if (licenceName.test(name)) add(found.licenceLike, path);
  }
  if (size <= 256 << 10 && isConfiguration(path, name)) add(found.configuration, path);
  if ((mode & 0o111) !== 0 && size > 64 && !distribution.test(path)) add(found.ownPrograms, path);
  if (/\.ko(\.[a-z0-9]+)?$/.test(name) && !/^(\/usr)?\/lib\/modules\/[^/]+\/kernel\//.test(path))
    add(found.foreignModules, path);
}

function isConfiguration(path: ByteString, name: ByteString): boolean {
  if (path.startsWith("/etc/"))
    return !/^\/etc\/(ssl\/certs|ca-certificates|alternatives|fonts|terminfo)\//.test(path);
  if (/^\/usr\/local\/etc\//.test(path)) return true;
  if (distribution.test(path) && !path.startsWith("/var/www/")) return false;
  return (
    /\.(conf|cfg|cnf|ini|ya?ml|json|xml|properties|toml|env|php|cf)$/.test(name) &&
    !/\/(vendor|node_modules)\//.test(path)
  );
}

/** Adds to the directories of the first three levels. */
function addSizes(sizes: Map<ByteString, number>, path: ByteString, bytes: number): void {
  let at = 0;
  for (let level = 0; level < 3; level++) {
    at = path.indexOf("/", at + 1);
    if (at < 0) return;
    const directory = path.slice(0, at);
    if (sizes.size < 100_000 || sizes.has(directory))
      sizes.set(directory, (sizes.get(directory) ?? 0) + bytes);
  }
}
