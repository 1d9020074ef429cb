// Data directories by the configuration alone: a data base that was moved to /srv/sql by one line of its configuration, the store of a
// server that nobody knows by name.
//
// Theory. A setting leads to data where its directory is one of the service (its user owns it; or root, where the service runs as root and
// the setting is called after data) and where its name says data, or its content has changed since the configuration was written. What is
// served, run or read as it was installed is none: document roots, programs, configuration, logs, caches.
import { isNoData, isOneThing, type NamedData } from "../../closure/data-places.ts";
import type { InstalledPackages } from "../../closure/installed.ts";
import { isSweepable } from "../../closure/policy.ts";
import { dirname, isBelow, machineTree } from "../../closure/tree.ts";
import type { ByteString, Entry } from "../../formats/entry.ts";
import { encodeText, escapeBytes } from "../../formats/escape.ts";
import { parsePasswd } from "../../formats/passwd.ts";
import { findPathSettings, findRunUsers, type PathSetting } from "../../formats/path-settings.ts";
import { isUnreadable, type Machine } from "../../machine/machine.ts";
import type { Descriptor } from "../../package/descriptor.ts";
import { closedDirectories } from "../plan/whole-machine.ts";
import {
  type ConfigurationText,
  configurationTexts,
  type ServiceStart,
  serviceStarts,
} from "./service-configuration.ts";

const maxSettings = 5000;
const maxDirectories = 200;
/** Of a directory's content, when it is asked whether it changes. */
const maxLooks = 5000;

/**
 * By their canonical paths, sorted, none inside another; `from` is a file or, as "program NAME", how one is started. Where no program is described, of the services of
 * the installed packages `names`, or of every service that the machine starts.
 */
export async function configuredData(
  machine: Machine,
  descriptor: Descriptor,
  installed: InstalledPackages,
  names?: readonly string[],
  tell?: (note: string) => void,
): Promise<NamedData[]> {
  const starts = await serviceStarts(machine, descriptor, installed, names);
  if (starts.length === 0) return [];
  const tree = machineTree(machine.files);
  const texts = await configurationTexts(machine, tree, starts, installed);
  const users = await usersOf(machine, starts, texts);
  const closed = [...(await closedDirectories({ machine, notOurs: [] }))];
  const found = new Map<ByteString, NamedData>();
  for (const { setting, from, since } of settingsOf(starts, texts)) {
    if (found.size >= maxDirectories) break;
    if (isNoData(setting.path)) continue;
    const named = ofData.test(setting.key);
    const { entry } = await tree.resolve(setting.path);
    const isFile = named && entry?.kind === "file";
    const place = isFile ? await tree.lstat(dirname(entry.path)) : entry;
    if (place?.kind !== "directory" || found.has(place.path) || !isPlace(place, users, named)) continue;
    if (!named && isServed.test(setting.key)) continue;
    // Beside a data base in one file there may be the program that keeps it.
    const [, foreign] = closed.find(([above]) => isBelow(place.path, above)) ?? [];
    if (foreign !== undefined) {
      tell?.(
        `${escapeBytes(place.path)}, which ${escapeBytes(from)} names, is not taken (${foreign}): give it to instances with run -v`,
      );
      found.set(place.path, { path: place.path, from: "" });
      continue;
    }
    if ((named && !isFile) || (await changes(machine, place, users, isFile ? 0n : since)))
      found.set(place.path, { path: place.path, from });
  }
  const paths = [...found.values()].flatMap((one) => (one.from === "" ? [] : [one.path])).sort();
  return paths
    .filter((path) => !paths.some((above) => path.startsWith(`${above}/`)))
    .flatMap((path) => found.get(path) ?? []);
}

/** Names of settings that say data: datadir, data_directory, dbPath, path.data, storage.tsdb.path, spool_directory, and Redis's dir. */
const ofData =
  /^dir$|data(?!source)|(^|[._-])(db|database|storage|store|spool|queue|journal|wal|repo|repository|persist\w*|upload\w*|state|mail)([._-]|$)|(db|storage|store|spool|queue|journal|upload|repository)(path|dir|directory|root|home|location)$/i;

/** What is served, run or read as it is. */
const isServed =
  /(^|[._-])(document_?root|root|alias|script_?alias|htdocs|static\w*|public\w*|template\w*|theme\w*|chdir|base|basedir|prefix|home|lib\w*|plugin\w*|module\w*|extension\w*|include\w*|bin\w*|class_?path|cert\w*|conf\w*|log\w*|pid\w*|tmp\w*|temp\w*|cache\w*)$/i;

/** /srv itself is the home of many; where a service's own user owns it, it is that service's. */
function isPlace({ path, uid }: Entry, users: ReadonlySet<number>, named: boolean): boolean {
  if (isNoData(path) || !isSweepable(path) || !users.has(uid)) return false;
  return uid === 0 ? named && isOneThing(path) : true;
}

/** Numbers of those who run the services: as they are started, and as their configuration makes them be. */
async function usersOf(
  machine: Machine,
  starts: readonly ServiceStart[],
  texts: readonly ConfigurationText[],
): Promise<ReadonlySet<number>> {
  const passwd = (await machine.files.read("/etc/passwd")) ?? new Uint8Array();
  const { entries } = parsePasswd(Buffer.from(passwd).toString("latin1"));
  const told = [...starts.map((one) => one.user), ...texts.flatMap(({ text }) => [...findRunUsers(text)])];
  // A client's configuration may name root; nobody has directories of his own.
  const names = new Set(told.filter((name, at) => at < starts.length || !/^(root|nobody)$/.test(name)));
  const numbers = [...names].flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
  return new Set([...entries.filter((one) => names.has(one.name)).map((one) => one.uid), ...numbers]);
}

interface Found {
  setting: PathSetting;
  from: ByteString;
  /** When that was written; what is younger has changed since. undefined: nobody knows. */
  since: bigint | undefined;
}

function* settingsOf(starts: readonly ServiceStart[], texts: readonly ConfigurationText[]): Generator<Found> {
  for (const start of starts) yield* settingsOfStart(start);
  let count = 0;
  for (const { text, entry } of texts)
    for (const setting of findPathSettings(text, 1000)) {
      if (count++ >= maxSettings) return;
      yield { setting, from: entry.path, since: entry.mtime };
    }
}

/** A word of its command is data where any file in it is the service's own; a variable where its name says so. */
function* settingsOfStart({ name, words, variables }: ServiceStart): Generator<Found> {
  const from = encodeText(`program ${name}`);
  for (const [index, word] of words.entries()) {
    const [, option, value = word] = /^-{0,2}([\w.-]*)[=:](\/.*)$/.exec(word) ?? [];
    if (!value.startsWith("/") || index === 0) continue;
    const before = /^-{1,2}([\w.-]+)$/.exec(words[index - 1] ?? "")?.[1] ?? "";
    const key = option?.replace(/^D(?=\w+\.)/, "") ?? (before === "D" ? "data" : before);
    yield { setting: { key, path: trimmed(value) }, from, since: 0n };
  }
  for (const [key, value] of Object.entries(variables))
    for (const path of value.split(/[:;,\s]/).slice(0, 100))
      if (/^\/[^/]/.test(path)) yield { setting: { key, path: trimmed(path) }, from, since: undefined };
}

function trimmed(path: ByteString): ByteString {
  return path.replace(/(.)\/+$/, "$1");
}

/** Whether the services' users have files in it that are younger than what names it. Pages and programs of a site say no. */
async function changes(
  machine: Machine,
  { path, uid }: Entry,
  users: ReadonlySet<number>,
  since: bigint | undefined,
): Promise<boolean> {
  if (since === undefined) return false;
  let looks = 0;
  let changed = false;
  for await (const one of machine.files.walk(path)) {
    if (isUnreadable(one)) continue;
    if (++looks > maxLooks) break;
    if (one.kind !== "file") continue;
    if (dirname(one.path) === path && site.test(one.path)) return false;
    changed ||= one.size > 0 && one.uid === uid && users.has(one.uid) && one.mtime > since;
  }
  return changed;
}

const site = /\.(php\d?|phtml|py|rb|ru|pl|cgi|jsp|[cm]?js|war|jar|html?|css|so|sh)$/i;
