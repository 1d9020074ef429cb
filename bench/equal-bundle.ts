// Bare crun with the configuration that we write, on the same layer, without what makes an instance: overlay, init, files, records.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { instanceGroup } from "../src/runtime/limits/groups.ts";

export interface Compared {
  scratch: string;
  /** Our command with its state root. */
  tranship: readonly string[];
  rootPath: string;
  layer: string;
}

interface Config {
  process: { args: string[] };
  root: { path: string };
  mounts: { source: string }[];
  linux: { cgroupsPath: string; namespaces: { type: string }[]; seccomp?: Seccomp };
}

interface Seccomp {
  defaultAction: string;
  listenerPath?: string;
  listenerMetadata?: string;
  syscalls: { action: string }[];
}

/** What runs `args` so; a bundle, a name and a control group for each `number`. */
export function equalBundles(at: Compared, args: readonly string[]): (number?: number) => string[] {
  const config = ownConfig(at);
  config.process.args = [...args];
  config.root.path = at.layer;
  config.mounts = config.mounts.filter((mount) => !mount.source.startsWith(at.rootPath));
  config.linux.namespaces.push({ type: "network" });
  withoutListener(config.linux.seccomp);
  return (number = 0) => {
    const name = `bench-${process.pid}-${number}`;
    const bundle = join(at.scratch, "bundles", name);
    mkdirSync(bundle, { recursive: true });
    config.linux.cgroupsPath = `/${instanceGroup(name)}`;
    writeFileSync(join(bundle, "config.json"), JSON.stringify(config));
    return ["crun", `--root=${join(at.scratch, "crun")}`, "run", "--bundle", bundle, name];
  };
}

function ownConfig({ tranship, rootPath }: Compared): Config {
  const script = `"$@" & sleep 1; cat ${rootPath}/instances/*/bundle/config.json; wait`;
  const run = ["run", "--rm", "--network", "none", "box:1", "sleep", "2"];
  const held = spawnSync("sh", ["-c", script, "sh", ...tranship, ...run], { encoding: "utf8" });
  return JSON.parse(held.stdout) as Config;
}

/** The same filter, with nobody to tell what it refuses. */
function withoutListener(seccomp: Seccomp | undefined): void {
  if (seccomp === undefined) return;
  delete seccomp.listenerPath;
  delete seccomp.listenerMetadata;
  if (seccomp.defaultAction === "SCMP_ACT_NOTIFY") seccomp.defaultAction = "SCMP_ACT_ERRNO";
  for (const rule of seccomp.syscalls) if (rule.action === "SCMP_ACT_NOTIFY") rule.action = "SCMP_ACT_ERRNO";
}
