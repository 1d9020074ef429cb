// What lies over the package's files: -v, --mount and --tmpfs.
import { resolve } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import type { InstanceMount } from "../../runtime/record.ts";
import { parseVolume } from "../../runtime/volumes/parse.ts";
import { isTmpfsOption, tmpfsMount } from "../../runtime/volumes/tmpfs.ts";
import { list, type OptionValues } from "../verb.ts";

export function mountOptions(options: OptionValues): InstanceMount[] {
  const mounts = [
    ...list(options, "volume").map(fromHere).map(parseVolume),
    ...list(options, "mount").map(parseMount),
    ...list(options, "tmpfs").map(parseTmpfs),
  ];
  const taken = new Set<string>();
  for (const { target } of mounts) {
    if (taken.has(target)) throw usage(`two mounts at ${target}`, "leave one of them out");
    taken.add(target);
  }
  return mounts;
}

/** ./DIR:PATH and ../DIR:PATH: below the directory of the caller. */
function fromHere(entry: string): string {
  const [, directory = "", rest = ""] = /^(\.{1,2}(?:\/[^:]*)?)(:.*)$/s.exec(entry) ?? [];
  return directory === "" ? entry : `${resolve(directory)}${rest}`;
}

/** PATH[:OPTION,...], with mount's own words. */
function parseTmpfs(entry: string): InstanceMount {
  const cut = entry.indexOf(":");
  const path = cut < 0 ? entry : entry.slice(0, cut);
  const words = cut < 0 ? [] : entry.slice(cut + 1).split(",");
  return tmpfs(path, words, entry);
}

function tmpfs(path: string, words: readonly string[], entry: string): InstanceMount {
  const wrong = words.find((word) => !isTmpfsOption(word));
  if (wrong !== undefined) {
    throw usage(
      `--tmpfs: not an option: ${JSON.stringify(wrong)}`,
      "give ro, exec, size=64m, mode=1777, uid=N, gid=N or nr_inodes=N",
    );
  }
  return tmpfsMount(at(path, entry).target, words);
}

/** docker's longer form: type=bind|volume|tmpfs,source=,target=,readonly. */
function parseMount(entry: string): InstanceMount {
  const given = new Map(
    entry.split(",").map((part): [string, string] => {
      const cut = part.indexOf("=");
      const key = cut < 0 ? part : part.slice(0, cut);
      const name = names[key];
      if (name === undefined) throw usage(`--mount: not a key: ${JSON.stringify(key)}`, mountHint);
      return [name, cut < 0 ? "true" : part.slice(cut + 1)];
    }),
  );
  const [type, source = "", target = ""] = [
    given.get("type") ?? "volume",
    given.get("source"),
    given.get("target"),
  ];
  const readOnly = isTrue(given.get("readonly") ?? "false");
  const only = (kind: string, ...keys: string[]): void => {
    const wrong = keys.find((key) => given.has(key));
    if (wrong !== undefined) throw usage(`--mount: ${wrong} is not for type=${kind}`, mountHint);
  };
  if (type === "tmpfs") {
    only(type, "source");
    const size = given.get("size");
    const mode = given.get("mode");
    const words = [...(readOnly ? ["ro"] : []), ...(size === undefined ? [] : [`size=${size}`])];
    return tmpfs(target, mode === undefined ? words : [...words, `mode=${mode}`], entry);
  }
  only(type, "size", "mode");
  const mount = at(target, entry);
  if (type === "bind" && source.startsWith("/"))
    return { ...mount, kind: "bind", source, readOnly, anonymous: false, seed: false };
  if (type === "volume" && !source.includes("/") && !source.startsWith("."))
    return {
      ...mount,
      source,
      readOnly,
      anonymous: source === "",
      seed: !isTrue(given.get("nocopy") ?? "false"),
    };
  throw usage(`not a mount: ${JSON.stringify(entry)}`, mountHint);
}

const names: Readonly<Record<string, string>> = {
  type: "type", source: "source", src: "source", target: "target", destination: "target", dst: "target",
  readonly: "readonly", ro: "readonly", "tmpfs-size": "size", "tmpfs-mode": "mode", "volume-nocopy": "nocopy",
}; // biome-ignore format: a table

const mountHint =
  "write type=bind,source=/DIR,target=/PATH, type=volume,source=NAME,target=/PATH (each with readonly where it is only read) or type=tmpfs,target=/PATH,tmpfs-size=64m";

/** An anonymous volume there: the path is held to the rules of all of them. */
function at(path: string, entry: string): InstanceMount {
  if (path.includes(":")) throw usage(`not a path of an instance: ${JSON.stringify(path)}`, mountHint);
  try {
    return parseVolume(path);
  } catch {
    throw usage(`not a mount: ${JSON.stringify(entry)}`, "give an absolute path without .. as its place");
  }
}

function isTrue(word: string): boolean {
  if (/^(true|1)$/.test(word)) return true;
  if (/^(false|0)$/.test(word)) return false;
  throw usage(`neither true nor false: ${JSON.stringify(word)}`, mountHint);
}

function usage(message: string, hint: string): TranshipError {
  return new TranshipError("E_USAGE", message, { hint });
}
