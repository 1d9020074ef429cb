// Which installed packages are the application's: their rotation of logs and their jobs come along.
import type { InstalledPackages } from "../../closure/installed.ts";
import type { ServiceFact } from "../../discover/inventory.ts";
import { findService } from "../../discover/services.ts";
import { encodeText } from "../../formats/escape.ts";
import type { Descriptor } from "../../package/descriptor.ts";
import type { Evidence } from "../evidence/evidence.ts";
import { plainName } from "./application.ts";

export interface OwnPackages {
  /** Those that were asked for, that own what the services start, or how they are started. */
  themselves: ReadonlySet<string>;
  /** With what these depend on: what several of a family have in common is a package of its own. */
  withNeeds: ReadonlySet<string>;
  /** First words of their names, and of those of which files were used while it was watched: exim4 of exim4-base, php of php7.4-opcache. */
  families: ReadonlySet<string>;
}

/** Whether an installed package is of one family with the application's. */
export function isOfFamily({ families }: OwnPackages, name: string): boolean {
  return !ofEverybody.test(name) && families.has(firstWord(name));
}

export function ownPackages(
  installed: InstalledPackages,
  { programs, services }: Descriptor,
  {
    facts,
    names,
    evidence,
  }: { facts: readonly ServiceFact[]; names: readonly string[]; evidence: Evidence | undefined },
): OwnPackages {
  const own = new Set(names);
  for (const { command } of programs)
    for (const word of command.flatMap((one) => one.split(/[\s;"']+/)).slice(0, 50))
      if (word.startsWith("/")) for (const name of installed.owner(encodeText(word))) own.add(name);
  for (const { name } of services) {
    const fact = findService(facts, encodeText(name)) ?? facts.find((one) => plainName(one.name) === name);
    for (const file of fact?.from ?? []) for (const owner of installed.owner(file)) own.add(owner);
  }
  for (const name of own) if (ofEverybody.test(name)) own.delete(name);
  const needs = [...own]
    .flatMap((name) => [...installed.depends(name)])
    .filter((name) => !ofEverybody.test(name));
  const used = [...(evidence?.paths ?? [])].flatMap(([path, seen]) =>
    seen.found ? [...installed.owner(path)] : [],
  );
  const families = new Set([...own, ...used].filter((name) => !/^lib/.test(name)).map(firstWord));
  return {
    themselves: own,
    withNeeds: new Set([...own, ...needs]),
    families,
  };
}

function firstWord(name: string): string {
  return /^[a-z]+\d*?(?=[\d.-]|$)/.exec(name)?.[0] ?? name;
}

/** Shells that start something else, and what all depend on. */
const ofEverybody =
  /^(dash|bash|busybox\S*|coreutils|util-linux|dpkg|debianutils|python3\S*|perl\S*|logrotate|cron|systemd\S*|init-system-helpers|procps|e2fsprogs|apt|passwd|login|adduser)$/;
