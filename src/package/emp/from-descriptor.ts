// A descriptor as an EMP folder: what EMP has words for.
import type { EmpFinding, EmpFolder, EmpService, FileRule, RegistryWrite } from "../../formats/emp/files.ts";
import { runnerOf } from "../../formats/emp/run-conditions.ts";
import type { Descriptor, FileRedirection, Service } from "../descriptor.ts";
import { empHook, empProgram, millisecondsOf } from "./commands.ts";
import { empAssociations, empShortcut } from "./file-types.ts";
import { empAsked, empTarget } from "./paths.ts";

const startups = { auto: "Automatic", manual: "Manual", disabled: "Disabled" } as const;

export function folderOf(descriptor: Descriptor): EmpFolder {
  const { metadata, hooks, redirections } = descriptor;
  return {
    metadata: {
      packageId: metadata.id,
      name: metadata.name,
      version: metadata.version,
      publisher: metadata.publisher,
    },
    registry: {
      needToBeDecoded: "false",
      validateWrite: "false",
      writes: redirections.registry.flatMap((one) => asRecord(one).write ?? []) as RegistryWrite[],
    },
    redirections: {
      files: redirections.files.map(empRule),
      keys: redirections.registry.flatMap((one) => {
        const { from, to } = asRecord(one);
        return typeof from !== "string" ? [] : [{ from, ...(typeof to === "string" ? { to } : {}) }];
      }),
    },
    programs: { programs: descriptor.programs.map(empProgram) },
    services: { services: descriptor.services.map((one) => empService(one, descriptor)) },
    shortcuts: { shortcuts: descriptor.shortcuts.map(empShortcut) },
    associations: {
      needToBeDecoded: "false",
      writes: empAssociations(descriptor.associations, metadata.id),
    },
    environment: {
      variables: Object.entries(descriptor.environment).map(([name, value]) => ({
        name,
        append: "false",
        encoded: "false",
        value,
      })),
    },
    deployment: {
      install: [
        ...hooks.preInstall.map((one, i) => empHook(one, i, true)),
        ...hooks.postInstall.map((one, i) => empHook(one, hooks.preInstall.length + i, false)),
      ],
      uninstall: hooks.uninstall.map((one, i) => empHook(one, i, false)),
    },
    engine: engineOf(descriptor),
  };
}

/** What a folder of EMP has no word for, as findings of its report. */
export function reportOf(descriptor: Descriptor): EmpFinding[] {
  const told = (category: string, message: string): EmpFinding => ({ level: "Warn", category, message });
  const lists = ["schedules", "ports", "volumes", "secrets", "directories"] as const;
  const dropped = lists.filter((list) => descriptor[list].length > 0);
  const modes = descriptor.redirections.files.some(({ mode }) => mode !== "full" && mode !== "hide");
  return [
    told(
      "System",
      `the programs are for ${descriptor.origin.os.id} ${descriptor.origin.os.version}, not for Windows`,
    ),
    ...dropped.map((list) => told("Descriptor", `${list} stand in tranship.yaml alone`)),
    ...(modes ? [told("Descriptor", "modes of redirections stand in tranship.yaml alone")] : []),
  ];
}

function empService(service: Service, { programs }: Descriptor): EmpService {
  const user = programs.find((one) => one.name === service.program)?.user;
  const { path, arguments: call } = runnerOf();
  return {
    name: service.name,
    imagePath: `${path} ${call(service.program)}`,
    displayName: service.name,
    startup: startups[service.startup ?? "auto"],
    startOnDeploy: String(service.startOnDeploy ?? (service.startup ?? "auto") === "auto"),
    ...(user === undefined ? {} : { user }),
    ...(service.stop?.timeout === undefined ? {} : { timeout: millisecondsOf(service.stop.timeout) }),
  };
}

function empRule({ from, to, match, mode }: FileRedirection): FileRule {
  return {
    kind: match === "exact" ? "ExactMatch" : "FolderMatch",
    from: empAsked(from),
    ...(mode === "hide" ? {} : { to: empTarget(to) }),
  };
}

function engineOf({
  metadata,
  identity,
  redirections,
  links,
  excludes,
}: Descriptor): NonNullable<EmpFolder["engine"]> {
  const rules = redirections.network;
  const network = identity.hostname !== null || rules.some(({ kind }) => kind !== "bind");
  return {
    packageId: metadata.id,
    log: "Off",
    includes: ["Redirections.xml", ...links.map((id) => `..\\${id}\\Redirections.xml`)].map((path) => ({
      path,
    })),
    excludes: excludes.map((program) => ({ program })),
    detaches: [],
    classes: [],
    features: [{ name: "RedirectX64PackagedRegistry" }, ...(network ? [{ name: "NetworkRedirection" }] : [])],
    ...(identity.hostname === null ? {} : { computer: identity.hostname }),
    names: rules.filter(({ kind }) => kind === "name").map(({ from, to }) => ({ from, to })),
    connects: rules
      .filter(({ kind }) => kind === "connect")
      .map(({ from, to }) => ({ ...address(from, "from"), ...address(to, "to") })),
    fileMappingExclusions: [],
  };
}

function address(text: string, side: "from" | "to"): Record<string, string> {
  const cut = /^(.*):(\d+)$/.exec(text);
  const [ip = text, port] = cut === null ? [text] : [cut[1], cut[2]];
  return { [`${side}Ip`]: ip, ...(port === undefined ? {} : { [`${side}Port`]: port }) };
}

function asRecord(value: unknown): { from?: unknown; to?: unknown; write?: unknown } {
  return typeof value === "object" && value !== null ? value : {};
}
