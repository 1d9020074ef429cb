// What of a difference is no part of the application: what every installation leaves behind, and what is made anew.
// One line, one reason; docs/guide/capture.md shows them to the user.
import type { Entry } from "../../formats/entry.ts";
import { neverPacked } from "../plan/kernel-parts.ts";

interface NoiseRule {
  pattern: RegExp;
  because: string;
  /** Directories stay, with their owners. */
  directoriesStay?: boolean;
  /** Only what was there before; what is new stays in. */
  onlyChanged?: boolean;
}

const records = "record of the package manager: nothing reads it at run time";
const lists = "package lists and archives of the package manager";
const cache = "cache, made anew when it is needed";
const temporary = "temporary file or lock";
const identity = "identity of the machine, or a seed of chance";

const rules: readonly NoiseRule[] = [
  { pattern: /^\/var\/lib\/(dpkg|ucf|rpm|yum|dnf|PackageKit|zypp|apk|pam|python|debconf|deluser|emacsen-common|dictionaries-common)\/./, because: records },
  { pattern: /^\/usr\/(lib\/sysimage|share)\/rpm\/(rpmdb\.|Packages|Index\.db|\.rpm\.lock|__db)/, because: records },
  { pattern: /^\/lib\/apk\/db\/./, because: records },
  { pattern: /^\/var\/lib\/(systemd\/deb-systemd-(helper|user-helper)-[^/]*|shells\.state)(\/|$)/, because: records },
  { pattern: /^\/var\/lib\/apt\/./, because: lists },
  { pattern: /^\/var\/cache\/(apt|debconf|dnf|yum|zypp|PackageKit|man|ldconfig|fontconfig|apt-xapian-index)(\/|$)/, because: cache },
  { pattern: /^\/usr\/share\/(mime\/(mime\.cache|magic|globs2?|aliases|subclasses|types|icons|generic-icons|treemagic|XMLnamespaces|version)|icons\/[^/]+\/icon-theme\.cache|applications\/mimeinfo\.cache|info\/dir(\.old)?)$/, because: cache, onlyChanged: true },
  { pattern: /^\/var\/log\/./, because: "log", directoriesStay: true },
  { pattern: /^\/(var\/tmp|tmp|run|var\/run|var\/lock)\/./, because: temporary },
  { pattern: /^\/var\/backups\/./, because: "backup copy of the system" },
  { pattern: /^\/etc\/(passwd|group|shadow|gshadow|subuid|subgid)-$/, because: "backup copy of the system" },
  { pattern: /^\/etc\/(\.pwd\.lock|mtab|resolv\.conf|\.updated|ld\.so\.cache~)$|\/\.(#|nfs)[^/]*$|\.lock$/, because: temporary, onlyChanged: true },
  { pattern: /^\/etc\/\.pwd\.lock$|^\/(etc|var)\/\.updated$/, because: temporary },
  { pattern: /^\/etc\/(machine-id|hostid|adjtime|hostname)$|^\/var\/lib\/(dbus\/machine-id|systemd\/random-seed|urandom\/random-seed|systemd\/catalog\/.*)$|\/\.rnd$/, because: identity, onlyChanged: true },
  { pattern: /^\/root\/\.(bash_history|viminfo|lesshst|wget-hsts|rnd|rpmdb)(\/|$)/, because: "trace of whoever installed" },
  { pattern: /\/(\.cache|\.npm\/_cacache)\/./, because: cache },
  { pattern: /\/__pycache__\/[^/]+\.pyc$/, because: "compiled anew by Python where it is missing" , onlyChanged: true },
  { pattern: /^\/usr\/share\/(man|doc|info|lintian|doc-base|bug)\/./, because: "documentation" },
]; // biome-ignore format: a table

/**
 * The dynamic loader's cache and tables of users are changed and not noise: what was installed needs them. Why a path of a difference
 * is left out; undefined where it counts.
 */
export function noiseBecause(entry: Entry, added: boolean): string | undefined {
  const isDirectory = entry.kind === "directory";
  const rule = rules.find(
    (one) =>
      one.pattern.test(entry.path) &&
      !(isDirectory && one.directoriesStay === true) &&
      !(added && one.onlyChanged === true),
  );
  if (rule !== undefined) return rule.because;
  if (entry.kind === "socket") return "a socket of a program that ran";
  return neverPacked(entry.path, isDirectory);
}

/** Shown for files that were written anew with what they held before. */
export const touchedOnly = "written by the installer with the content and attributes that it had";

export const removedByInstaller = "removed by the installer";
