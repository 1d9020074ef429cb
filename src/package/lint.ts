// What is wrong with a descriptor, or will be when it runs: judged by itself and by the files of its package. The text is valid YAML
// and fits the schema; what does not is a problem of its reading.
import { parseSize } from "../base/units.ts";
import type { Descriptor, Program } from "./descriptor.ts";
import { notCarriedOut } from "./not-carried-out.ts";

export interface LintFinding {
  /** Stable word for programs. */
  id: LintRule;
  severity: "error" | "warning";
  /** Where in the descriptor. */
  path: (string | number)[];
  /** One sentence with the value concerned. */
  message: string;
  hint: string;
}

export type LintRule =
  | "program-missing"
  | "program-not-executable"
  | "working-directory"
  | "user-missing"
  | "redirection-kind"
  | "redirection-target"
  | "redirection-order"
  | "redirection-chain"
  | "redirection-refused"
  | "redirection-invalid"
  | "element-invalid"
  | "merged-folder"
  | "secret-in-layer"
  | "secret-not-listed"
  | "volume-empty"
  | "kernel-part"
  | "service-order"
  | "readiness-port"
  | "dangling-program"
  | "link-missing"
  | "not-carried-out"
  | "nothing-starts";

export interface LookedAt {
  kind: "file" | "directory" | "other";
  executable: boolean;
  /** A directory without anything in it. */
  empty: boolean;
  path: string;
}

/** What lint asks of a package's files. Paths are absolute; links are followed inside the package. */
export interface PackageFiles {
  /** undefined: nothing is there. `path` is where links lead to. */
  look(path: string): LookedAt | undefined;
  /** Names that /etc/passwd and /etc/group know; undefined where there is no such file. */
  users(): ReadonlySet<string> | undefined;
  groups(): ReadonlySet<string> | undefined;
  /** Paths of files that are parts of a kernel, with what says so. */
  kernelParts(): ReadonlyArray<readonly [path: string, reason: string]>;
  /** Paths of files with content that are secrets by their names, with what they are. */
  secrets(): ReadonlyArray<readonly [path: string, reason: string]>;
}

/** All but redirections, which have their own (redirect/lint.ts), in the order of the descriptor's keys. `files` undefined: only what the text alone tells. */
export function lintDescriptor(descriptor: Descriptor, files: PackageFiles | undefined): LintFinding[] {
  return [
    ...(files === undefined ? [] : programs(descriptor, files)),
    ...services(descriptor),
    ...references(descriptor),
    ...(files === undefined ? [] : volumesAndSecrets(descriptor, files)),
    ...(files === undefined ? [] : unlistedSecrets(descriptor, files)),
    ...(files === undefined ? [] : kernelParts(files)),
    ...notCarriedOut(descriptor).map(
      ({ key, ...told }): LintFinding => ({
        id: "not-carried-out",
        severity: "warning",
        path: [key],
        ...told,
      }),
    ),
  ];
}

function* programs(descriptor: Descriptor, files: PackageFiles): Generator<LintFinding> {
  for (const [i, program] of descriptor.programs.entries()) {
    const at = ["programs", i];
    yield* command([...at, "command"], program, descriptor, files);
    const directory = program.workingDirectory;
    if (directory !== undefined && files.look(directory)?.kind !== "directory")
      yield {
        id: "working-directory",
        severity: "error",
        path: [...at, "workingDirectory"],
        message: `${program.name} starts in ${directory}, which is no directory of the package`,
        hint: "take it in with --include, or add it to `directories`",
      };
    if (program.user !== undefined) yield* user([...at, "user"], program.user, files);
  }
}

function* command(
  path: (string | number)[],
  program: Program,
  descriptor: Descriptor,
  files: PackageFiles,
): Generator<LintFinding> {
  const [word = ""] = program.command;
  const places = word.includes("/")
    ? [word.startsWith("/") ? word : `${program.workingDirectory ?? ""}/${word}`]
    : searchPath(program, descriptor).map((directory) => `${directory}/${word}`);
  const found = places.map((place) => files.look(place)).find((one) => one !== undefined);
  if (found === undefined) {
    const where = word.includes("/") ? "" : ` in ${searchPath(program, descriptor).join(":")}`;
    yield {
      id: "program-missing",
      severity: "error",
      path,
      message: `the program ${word} of ${program.name} is not in the package${where}`,
      hint: "capture it with --include, or correct the command",
    };
  } else if (found.kind !== "file" || !found.executable)
    yield {
      id: "program-not-executable",
      severity: "error",
      path,
      message: `${found.path}, the program of ${program.name}, is ${found.kind === "file" ? "not executable" : "no file"}`,
      hint: "name an executable file, or start it with its interpreter",
    };
}

function searchPath(program: Program, descriptor: Descriptor): string[] {
  const path = program.environment?.PATH ?? descriptor.environment.PATH ?? defaultPath;
  return path.split(":").filter((directory) => directory.startsWith("/"));
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

function* user(path: (string | number)[], text: string, files: PackageFiles): Generator<LintFinding> {
  const [who = "", group] = text.split(":");
  for (const [name, file, known] of [
    [who, "/etc/passwd", files.users()],
    [group ?? "0", "/etc/group", files.groups()],
  ] as const) {
    if (/^\d+$/.test(name) || name === "root" || known?.has(name) === true) continue;
    yield {
      id: "user-missing",
      severity: "error",
      path,
      message: `${name} is not in the package's ${file}`,
      hint: known === undefined ? `the package has no ${file}` : "use another name, or a number",
    };
  }
}

function* services(descriptor: Descriptor): Generator<LintFinding> {
  const startup = new Map(descriptor.services.map((one) => [one.name, one.startup ?? "auto"]));
  for (const [i, one] of descriptor.services.entries()) {
    if ((one.startup ?? "auto") !== "auto") continue;
    for (const [j, other] of (one.after ?? []).entries()) {
      if ((startup.get(other) ?? "auto") === "auto") continue;
      yield {
        id: "service-order",
        severity: "warning",
        path: ["services", i, "after", j],
        message: `${one.name} starts after ${other}, which is ${startup.get(other)} and is not waited for`,
        hint: `give ${other} the startup auto, or remove it from \`after\``,
      };
    }
    const port = one.readiness?.port;
    if (
      port === undefined ||
      descriptor.ports.length === 0 ||
      descriptor.ports.some((entry) => entry.port === port)
    )
      continue;
    yield {
      id: "readiness-port",
      severity: "warning",
      path: ["services", i, "readiness", "port"],
      message: `${one.name} is ready when port ${port} is open, which is not among the ports of the package`,
      hint: "add it to `ports` if it is served to others",
    };
  }
}

function* references(descriptor: Descriptor): Generator<LintFinding> {
  const known = descriptor.programs.map((program) => program.name);
  for (const list of ["shortcuts", "associations"] as const) {
    for (const [i, one] of descriptor[list].entries()) {
      if (known.includes(one.program)) continue;
      yield {
        id: "dangling-program",
        severity: "error",
        path: [list, i, "program"],
        message: `no program is named ${JSON.stringify(one.program)}`,
        hint: `there are: ${known.join(", ") || "none"}`,
      };
    }
  }
  const used = new Set([
    ...descriptor.services.map((one) => one.program),
    ...descriptor.schedules.map((one) => one.program),
  ]);
  if (known.length > 0 && descriptor.services.length === 0 && descriptor.schedules.length === 0) {
    if (known.length > 1 && !known.includes("main"))
      yield {
        id: "nothing-starts",
        severity: "warning",
        path: ["programs"],
        message: "there are no services, and no program is called main: `run` has nothing to start by itself",
        hint: "call one of the programs main, or add a service",
      };
  } else if (known.length === 0 && used.size === 0) {
    yield {
      id: "nothing-starts",
      severity: "warning",
      path: [],
      message: "there is no program: nothing can be started by name",
      hint: "add one below `programs`",
    };
  }
}

function* volumesAndSecrets(descriptor: Descriptor, files: PackageFiles): Generator<LintFinding> {
  for (const [i, volume] of descriptor.volumes.entries()) {
    const promised = volume.initial === "copy" && parseSize(volume.size ?? "1") > 0;
    const found = files.look(volume.path);
    if (!promised || (found?.kind === "directory" && !found.empty)) continue;
    yield {
      id: "volume-empty",
      severity: "error",
      path: ["volumes", i],
      message: `the volume ${volume.path} is to be filled from the package, which has ${found?.kind === "directory" ? "nothing there" : "no such directory"}: init will refuse to start`,
      hint: 'give it `initial: none`, or `size: "0"` where it may begin empty',
    };
  }
  for (const [i, secret] of descriptor.secrets.entries()) {
    if (secret.delivery !== "mount" || files.look(secret.path)?.kind !== "file") continue;
    yield {
      id: "secret-in-layer",
      severity: "error",
      path: ["secrets", i, "path"],
      message: `the secret ${secret.path} lies in a layer: whoever has the package has it`,
      hint: "capture the package without it; what is in a layer cannot be taken back out by a later one",
    };
  }
}

/** Those that are listed are looked at above. */
function* unlistedSecrets(descriptor: Descriptor, files: PackageFiles): Generator<LintFinding> {
  const listed = new Set(descriptor.secrets.flatMap((secret) => ("path" in secret ? secret.path : [])));
  for (const [path, reason] of files.secrets()) {
    if (listed.has(path)) continue;
    yield {
      id: "secret-not-listed",
      severity: "warning",
      path: [],
      message: `${path} lies in a layer (${reason}): whoever has the package has it`,
      hint: "fine where it was kept on purpose (--keep-secret); else capture the package without it",
    };
  }
}

function* kernelParts(files: PackageFiles): Generator<LintFinding> {
  for (const [path, reason] of files.kernelParts())
    yield {
      id: "kernel-part",
      severity: "error",
      path: [],
      message: `${path} is a part of a kernel: it ${reason}`,
      hint: "capture the package without it; the target brings its own kernel",
    };
}
