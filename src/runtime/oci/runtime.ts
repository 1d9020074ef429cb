// Which OCI runtime this host can use: found out by running a container, once per boot and version of the runtime.
import { accessSync, constants, copyFileSync, existsSync, mkdirSync, realpathSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { bootId } from "../../host/boot-id.ts";
import { type CgroupMode, cgroupMode, removeCgroup } from "../../host/cgroup.ts";
import { callArguments, launchCall } from "../../host/enter.ts";
import { makeDirectory, readJson, readText, writeFileAtomic } from "../../host/files.ts";
import { nativePath } from "../../host/native.ts";
import { run } from "../../host/process.ts";
import { rootlessUser } from "../../host/rootless-user.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { makeWorkDirectory } from "../../host/work.ts";
import { instanceGroup } from "../limits/groups.ts";
import { defaultMounts } from "./config.ts";

export interface OciRuntime {
  path: string;
  kind: "crun" | "runc" | "other";
  /** How the host's cgroups are used. */
  cgroups: boolean;
  /** Start it where the v2 controllers are out of sight. */
  hideCgroup2: boolean;
}

interface Choice {
  /** Boot, and what each candidate looked like. */
  key: string;
  runtime: OciRuntime;
}

const chosen = new Map<string, Promise<OciRuntime>>();

/** Found out once a process and state root. */
export function chooseRuntime(root: StateRoot, log: Log): Promise<OciRuntime> {
  const key = `${process.env.TRANSHIP_RUNTIME ?? ""} ${root.path}`;
  const choice = chosen.get(key) ?? findRuntime(root, log);
  chosen.set(key, choice);
  return choice;
}

async function findRuntime(root: StateRoot, log: Log): Promise<OciRuntime> {
  const candidates = findCandidates(log);
  const key = [bootId(), String(rootlessUser() ?? "root"), ...candidates.map(fingerprint)].join(" ");
  const file = join(root.path, "cache/oci-runtime.json");
  const known = readChoice(file);
  if (known?.key === key) return known.runtime;
  const mode = cgroupMode();
  const reasons: string[] = [];
  for (const path of candidates) {
    const runtime = describeRuntime(path, mode);
    const problem = await probe(root, runtime);
    if (problem === undefined) {
      log.debug(`OCI runtime: ${path} is used`);
      makeDirectory(join(root.path, "cache"));
      writeFileAtomic(file, `${JSON.stringify({ key, runtime } satisfies Choice)}\n`, { volatile: true });
      return runtime;
    }
    log.debug(`OCI runtime: ${path} is not used: ${problem}`);
    reasons.push(`${path}: ${problem}`);
  }
  throw new TranshipError(
    "E_NO_RUNTIME",
    `no OCI runtime works here${reasons.map((r) => `; ${r}`).join("")}`,
    {
      hint: "install crun or runc, or name one with TRANSHIP_RUNTIME; `tranship doctor` tells more",
    },
  );
}

/** What is damaged is found out again. */
function readChoice(file: string): Choice | undefined {
  try {
    return readJson(file) as Choice | undefined;
  } catch {
    return undefined;
  }
}

function findCandidates(log: Log): string[] {
  const asked = process.env.TRANSHIP_RUNTIME;
  const names = asked !== undefined && asked !== "" ? [asked] : ["crun", "runc"];
  return names.flatMap((name) => {
    const path = lookUp(name);
    if (path === undefined) log.debug(`OCI runtime: ${name} is not installed`);
    return path === undefined ? [] : [path];
  });
}

/** As a shell does, and where administrators' programs are when PATH lacks that. */
function lookUp(name: string): string | undefined {
  const directories = [
    ...(process.env.PATH ?? "").split(delimiter),
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
  ];
  const paths = name.includes("/") ? [name] : directories.map((directory) => join(directory, name));
  for (const path of paths) {
    // Asked first, as an error costs much more than a look.
    if (!existsSync(path)) continue;
    try {
      accessSync(path, constants.X_OK);
      return realpathSync(path);
    } catch {} // the next one
  }
  return undefined;
}

function fingerprint(path: string): string {
  const stat = statSync(path);
  return `${path}:${stat.mtimeMs}:${stat.size}`;
}

/** What is known of the runtime at a path, chosen before. */
export function describeRuntime(path: string, mode: CgroupMode = cgroupMode()): OciRuntime {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const kind = name.includes("crun") ? "crun" : name.includes("runc") ? "runc" : "other";
  return {
    path,
    kind,
    // In the groups that an ordinary user was given enter puts it: see limits/groups.ts.
    cgroups: rootlessUser() === undefined && mode.hierarchies.length > 0,
    // With controllers on both sides crun refuses the host; runc works as it is.
    hideCgroup2: kind === "crun" && mode.kind === "hybrid",
  };
}

/** Arguments of the runtime that come before its verb. */
export function globalArguments(runtime: OciRuntime, stateDirectory: string, logFile?: string): string[] {
  return [
    `--root=${stateDirectory}`,
    ...(runtime.kind === "crun" && !runtime.cgroups ? ["--cgroup-manager=disabled"] : []),
    ...(logFile === undefined ? [] : [`--log=${logPlace(runtime, logFile)}`, "--log-format=json"]),
  ];
}

/** crun takes what stands before a colon for the kind of log; runc takes the whole for a path. */
function logPlace(runtime: OciRuntime, file: string): string {
  return runtime.kind === "crun" ? `file:${file}` : file;
}

const ranStatus = 125;

/** A container that executes our own static program, which complains and ends with 125. undefined: it works. */
async function probe(root: StateRoot, runtime: OciRuntime): Promise<string | undefined> {
  const work = makeWorkDirectory(root, "probe");
  const id = `probe-${work.path.slice(-12)}`;
  try {
    for (const name of ["rootfs", "rootfs/proc", "rootfs/dev"]) mkdirSync(join(work.path, name));
    copyFileSync(nativePath("enter"), join(work.path, "rootfs/enter"));
    writeFileAtomic(join(work.path, "config.json"), JSON.stringify(probeConfig(runtime, id)), {
      volatile: true,
    });
    const call = launchCall({
      network: "none",
      hideCgroup2: runtime.hideCgroup2,
      command: {
        argv: [
          runtime.path,
          ...globalArguments(runtime, join(work.path, "oci")),
          "run",
          "--bundle",
          work.path,
          id,
        ],
      },
    });
    const result = await run(nativePath("enter"), callArguments(call), { timeout: 30_000 });
    if (result.status === ranStatus && result.stderr.includes("enter: expected")) return undefined;
    return result.stderr.trim().split("\n").at(-1) ?? `ended with status ${result.status}`;
  } finally {
    await removeCgroup(instanceGroup(id));
    work.remove();
  }
}

function probeConfig(runtime: OciRuntime, id: string): object {
  return {
    ociVersion: "1.0.2",
    process: {
      user: { uid: 0, gid: 0 },
      args: ["/enter"],
      env: ["PATH=/"],
      cwd: "/",
      capabilities: { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] },
    },
    root: { path: "rootfs", readonly: true },
    hostname: "probe",
    mounts: defaultMounts.slice(0, 2),
    linux: {
      namespaces: [{ type: "pid" }, { type: "ipc" }, { type: "uts" }, { type: "mount" }],
      ...(runtime.cgroups
        ? {
            cgroupsPath: `/${instanceGroup(id)}`,
            resources: { devices: [{ allow: false, access: "rwm" }], pids: { limit: 16 } },
          }
        : {}),
      // That it can filter at all: the instances' own filters are another matter.
      seccomp: {
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{ names: ["keyctl"], action: "SCMP_ACT_ERRNO", errnoRet: 1 }],
      },
    },
  };
}

/** The last line of a runtime's own log, in plain words; undefined where it had nothing to say. */
export function runtimeWords(logFile: string): string | undefined {
  const line = (readText(logFile) ?? "").trim().split("\n").at(-1) ?? "";
  if (line === "") return undefined;
  try {
    const { msg } = JSON.parse(line) as { msg?: unknown };
    if (typeof msg === "string") return msg;
  } catch {} // not JSON: as it is
  return line;
}
