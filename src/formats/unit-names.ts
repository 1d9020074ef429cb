// Names of systemd units: template, instance, escaping, specifiers (systemd.unit(5)).
import type { ByteString } from "./entry.ts";

export interface UnitName {
  /** "postgresql" of postgresql@13-main.service. */
  prefix: ByteString;
  /** "13-main"; "" for a template; undefined for a plain unit. */
  instance: ByteString | undefined;
  /** "service", "socket", ... */
  type: string;
}

export function parseUnitName(name: ByteString): UnitName | undefined {
  const dot = name.lastIndexOf(".");
  if (dot <= 0 || name.length > 255 || name.includes("/")) return undefined;
  const stem = name.slice(0, dot);
  const at = stem.indexOf("@");
  return {
    prefix: at < 0 ? stem : stem.slice(0, at),
    instance: at < 0 ? undefined : stem.slice(at + 1),
    type: name.slice(dot + 1),
  };
}

/** "postgresql@.service" for an instance, undefined for what is none. */
export function templateOf(name: ByteString): ByteString | undefined {
  const parsed = parseUnitName(name);
  if (parsed?.instance === undefined || parsed.instance === "") return undefined;
  return `${parsed.prefix}@.${parsed.type}`;
}

/** Undoes systemd-escape: "-" is "/", "\x2d" is the byte. */
export function unescapeInstance(instance: ByteString): ByteString {
  return instance.replace(/-|\\x([0-9a-fA-F]{2})/g, (found, hex) =>
    found === "-" ? "/" : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

export interface SpecifierFacts {
  hostname?: ByteString;
  machineId?: ByteString;
  user?: ByteString;
  home?: ByteString;
}

/** Replaces the specifiers of a system unit; an unknown one is left as it stands. */
export function expandSpecifiers(
  value: ByteString,
  name: ByteString,
  facts: SpecifierFacts = {},
): ByteString {
  const unit = parseUnitName(name) ?? { prefix: name, instance: undefined, type: "" };
  const stem = unit.type === "" ? name : name.slice(0, -(unit.type.length + 1));
  const instance = unit.instance ?? "";
  const table: Record<string, ByteString | undefined> = {
    "%": "%",
    n: name,
    N: stem,
    p: unit.prefix,
    P: unescapeInstance(unit.prefix),
    i: instance,
    I: unescapeInstance(instance),
    j: unit.prefix.split("-").at(-1),
    f: `/${unescapeInstance(instance || unit.prefix)}`,
    t: "/run",
    S: "/var/lib",
    C: "/var/cache",
    L: "/var/log",
    E: "/etc",
    T: "/tmp",
    V: "/var/tmp",
    H: facts.hostname,
    l: facts.hostname?.split(".")[0],
    m: facts.machineId,
    u: facts.user ?? "root",
    U: facts.user === undefined ? "0" : undefined,
    g: facts.user ?? "root",
    h: facts.home ?? "/root",
    s: "/bin/sh",
  };
  return value.replace(/%([A-Za-z%])/g, (found, letter: string) => table[letter] ?? found);
}
