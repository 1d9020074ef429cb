// What an EMP folder says, as a descriptor.
import type { EmpFolder, EmpProgram, EmpService } from "../../formats/emp/files.ts";
import { runConditionIn } from "../../formats/emp/run-conditions.ts";
import {
  type Descriptor,
  type FileRedirection,
  type Hooks,
  newDescriptor,
  type Program,
  type Service,
} from "../descriptor.ts";
import { durationOf, hookOf, plainName, programOf } from "./commands.ts";
import { associationsOf, shortcutOf } from "./file-types.ts";
import { askedPath, targetPath } from "./paths.ts";

/** Registry writes beyond so many stay in their file alone: a descriptor is read at each start. */
export const maxRegistryWrites = 2000;

export interface FromFolder {
  descriptor: Descriptor;
  /** What the folder says and the descriptor has no word for; it stays in the folder's files. */
  notes: string[];
}

export function descriptorOf(folder: EmpFolder): FromFolder {
  const notes: string[] = [];
  const { metadata, engine } = folder;
  const id = metadata?.packageId ?? engine?.packageId ?? "";
  const base = newDescriptor(
    {
      id,
      name: metadata?.name ?? id,
      version: metadata?.version ?? "1",
      publisher: metadata?.publisher ?? "",
    },
    { os: { id: "windows", version: "" }, kernel: "", architecture: "amd64" },
  );
  const programs = programsOf(folder, notes);
  const names = new Set(programs.map((one) => one.name));
  const descriptor: Descriptor = {
    ...base,
    programs: withUsers(programs, folder.services?.services ?? []),
    services: servicesOf(folder.services?.services ?? [], names, notes),
    environment: environmentOf(folder, notes),
    identity: { ...base.identity, hostname: engine?.computer ?? null },
    redirections: {
      files: (folder.redirections?.files ?? []).map(fileRule),
      network: networkOf(folder),
      registry: registryOf(folder, notes),
    },
    hooks: hooksOf(folder.deployment, names, notes),
    associations: associationsOf(folder.associations?.writes ?? []).filter((one) => names.has(one.program)),
    shortcuts: (folder.shortcuts?.shortcuts ?? []).flatMap((one) => {
      const shortcut = shortcutOf(one);
      if (shortcut !== undefined && names.has(shortcut.program)) return [shortcut];
      notes.push(`the shortcut ${one.path ?? ""} starts no run condition of the package`);
      return [];
    }),
    links: linksOf(folder),
    excludes: (engine?.excludes ?? []).flatMap(({ program }) => program ?? []),
  };
  notes.push(...leftOver(folder));
  return { descriptor, notes };
}

function programsOf({ programs }: EmpFolder, notes: string[]): Program[] {
  const found = new Map<string, Program>();
  for (const one of programs?.programs ?? []) {
    const program = programOf(one);
    if (program.command[0] === "") notes.push(`the run condition ${program.name} starts nothing`);
    else if (found.has(program.name))
      notes.push(`the run condition ${program.name} is there twice: the first counts`);
    else found.set(program.name, program);
  }
  return [...found.values()];
}

/** Accounts of Windows (with a backslash) mean nothing elsewhere. */
function withUsers(programs: readonly Program[], services: readonly EmpService[]): Program[] {
  const users = new Map<string, string>();
  for (const one of services) {
    const program = runConditionIn(one.imagePath ?? "");
    if (program !== undefined && one.user !== undefined && /^[^\s\\]+$/.test(one.user))
      users.set(plainName(program), one.user);
  }
  return programs.map((one) => {
    const user = users.get(one.name);
    return user === undefined ? one : { ...one, user };
  });
}

function servicesOf(
  services: readonly EmpService[],
  programs: ReadonlySet<string>,
  notes: string[],
): Service[] {
  const found = new Map<string, Service>();
  for (const one of services) {
    const name = plainName(one.name ?? "");
    const condition = runConditionIn(one.imagePath ?? "");
    const program = condition === undefined ? undefined : plainName(condition);
    if (program === undefined || !programs.has(program))
      notes.push(`the service ${name} starts no run condition of the package`);
    else if (found.has(name)) notes.push(`the service ${name} is there twice: the first counts`);
    else {
      const timeout = durationOf(one.timeout);
      const startup = startups.get(one.startup?.toLowerCase() ?? "automatic");
      found.set(name, {
        name,
        program,
        ...(startup === undefined ? {} : { startup }),
        ...startOnDeployOf(one, startup),
        ...(timeout === undefined ? {} : { stop: { timeout } }),
      });
    }
  }
  return [...found.values()];
}

const startups: ReadonlyMap<string, NonNullable<Service["startup"]>> = new Map([
  ["automatic", "auto"],
  ["manual", "manual"],
  ["disabled", "disabled"],
]);

/** Where it says something else than what comes of itself. */
function startOnDeployOf(
  { startOnDeploy = "" }: EmpService,
  startup: Service["startup"] = "auto",
): Pick<Service, "startOnDeploy"> {
  const said = switches.get(startOnDeploy.toLowerCase());
  return said === undefined || said === (startup === "auto") ? {} : { startOnDeploy: said };
}

const switches: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["false", false],
]);

function environmentOf({ environment }: EmpFolder, notes: string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { name = "", value = "", encoded } of environment?.variables ?? []) {
    if (name === "" || /[=\0]/.test(name)) notes.push(`${JSON.stringify(name)} is no name of a variable`);
    else if (encoded?.toLowerCase() === "true") notes.push(`the variable ${name} is encoded`);
    else found[name] = value;
  }
  return found;
}

/** A rule without a target takes the path away. */
function fileRule(rule: {
  kind?: string | undefined;
  from?: string | undefined;
  to?: string | undefined;
}): FileRedirection {
  const from = askedPath(rule.from ?? "");
  return {
    from,
    to: rule.to === undefined ? from : targetPath(rule.to),
    match: rule.kind === "ExactMatch" ? "exact" : "folder",
    mode: rule.to === undefined ? "hide" : "full",
  };
}

function networkOf({ engine }: EmpFolder): Descriptor["redirections"]["network"] {
  const address = (ip = "", port = ""): string => (port === "" ? ip : `${ip}:${port}`);
  return [
    ...(engine?.names ?? []).map(({ from = "", to = "" }) => ({ kind: "name" as const, from, to })),
    ...(engine?.connects ?? []).map((one) => ({
      kind: "connect" as const,
      from: address(one.fromIp, one.fromPort),
      to: address(one.toIp, one.toPort),
    })),
  ];
}

function registryOf({ redirections, registry }: EmpFolder, notes: string[]): Record<string, unknown>[] {
  const writes = registry?.writes ?? [];
  if (writes.length > maxRegistryWrites)
    notes.push(`${writes.length} values of the registry are in AppRegistry.xml alone`);
  return [
    ...(redirections?.keys ?? []).map(({ from, to }) => ({ from, ...(to === undefined ? {} : { to }) })),
    ...(writes.length > maxRegistryWrites ? [] : writes.map((write) => ({ write: { ...write } }))),
  ];
}

function hooksOf(deployment: EmpFolder["deployment"], programs: ReadonlySet<string>, notes: string[]): Hooks {
  const hooks = (list: readonly EmpProgram[]): Hooks["uninstall"] =>
    [...list]
      .sort((a, b) => Number(a.order ?? 0) - Number(b.order ?? 0))
      .flatMap((one) => {
        const hook = hookOf(one);
        if (hook.program === undefined ? hook.command?.[0] !== "" : programs.has(hook.program)) return [hook];
        notes.push(`a script starts ${hook.program ?? "nothing"}, which is no run condition of the package`);
        return [];
      });
  const install = deployment?.install ?? [];
  const before = install.filter((one) => one.preInstall?.toLowerCase() === "true");
  return {
    preInstall: hooks(before),
    postInstall: hooks(install.filter((one) => !before.includes(one))),
    uninstall: hooks(deployment?.uninstall ?? []),
  };
}

/** Packages are linked by the folder that lies beside; one's own rules are none. */
function linksOf({ engine }: EmpFolder): string[] {
  return (engine?.includes ?? []).flatMap(({ path = "" }) => {
    const parts = path.split(/[\\/]+/).filter((part) => part !== "..");
    return parts.length < 2 ? [] : [parts.at(-2) ?? ""];
  });
}

function* leftOver({ engine, comDeployment, deployment }: EmpFolder): Generator<string> {
  if ((engine?.detaches.length ?? 0) > 0)
    yield "programs that the engine leaves after their start (Detaches)";
  if (engine?.windowsMajor !== undefined) yield "the version of Windows that is told (ForceWindowsVersion)";
  if ((comDeployment?.servers.length ?? 0) > 0) yield "COM servers (ComDeployment.xml)";
  const windows = [...(deployment?.install ?? []), ...(deployment?.uninstall ?? [])].some((one) =>
    /\.(exe|ps1|bat|cmd)$/i.test(one.path ?? ""),
  );
  if (windows) yield "deployment scripts are programs of Windows";
}
