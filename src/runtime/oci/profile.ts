// The filter of an instance's system calls, as its OCI runtime takes it. crun gets the compiled filter, kept by what it depends on, since compiling
// 400 names takes it longer than the start of a container; every other runtime gets the names.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { capabilityMask } from "../../host/enter.ts";
import { makeDirectory, readText, writeFileAtomic } from "../../host/files.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { engineCalls, loopbackCalls } from "../elements.ts";
import type { InstanceRecord } from "../record.ts";
import { capabilitiesOf, capabilityNames } from "./capabilities.ts";
import { profileJson } from "./given-profile.ts";
import type { OciRuntime } from "./runtime.ts";
import { type CallRules, defaultRules, learnedRules, seccompJson, seccompVersion } from "./seccomp.ts";

export interface SeccompPart {
  seccomp?: object;
  annotations?: Readonly<Record<string, string>>;
}

export async function seccompPart(
  root: StateRoot,
  record: InstanceRecord,
  runtime: OciRuntime,
): Promise<SeccompPart> {
  if (record.syscalls === "off") return {};
  const capabilities = capabilitiesOf(record);
  if (record.filter !== undefined) {
    const kernel = readFileSync("/proc/sys/kernel/osrelease", "latin1");
    return { seccomp: profileJson(record.filter, { capabilities, architecture: process.arch, kernel }) };
  }
  // What its programs learned to make, and what their loader makes beside them.
  const calls =
    record.calls === undefined || record.elements === undefined
      ? record.calls
      : [...record.calls, ...engineCalls, ...(record.elements.loopback === "fast" ? loopbackCalls : [])];
  const rules = calls === undefined ? defaultRules(capabilities) : learnedRules(calls, capabilities);
  const socket = refusalsSocket(root, record);
  if (runtime.kind === "crun" && process.arch === "x64") {
    const kept = calls === undefined ? root : undefined;
    const filter = await compiledFilter(kept, capabilities, rules, socket !== undefined);
    return {
      // What a crun that does not know the annotation would use.
      seccomp: seccompJson(rules, process.arch, { socket }),
      annotations: { "run.oci.seccomp_bpf_data": filter },
    };
  }
  if (socket === undefined) return { seccomp: seccompJson(rules, process.arch) };
  const { knownCalls } = await import("../../formats/syscall-numbers.ts");
  return { seccomp: seccompJson(rules, process.arch, { socket, names: knownCalls() }) };
}

/** In base64. What is in the state root is believed; a profile of one package alone is not kept there. */
async function compiledFilter(
  root: StateRoot | undefined,
  capabilities: readonly string[],
  rules: CallRules,
  told: boolean,
): Promise<string> {
  if (root === undefined) return await compile(rules, told);
  const key = `${seccompVersion}-${capabilityMask(capabilityNames(capabilities))}${told ? "-told" : ""}`;
  const file = join(root.path, "cache", `seccomp-${key}`);
  const known = readText(file);
  if (known !== undefined) return known;
  const filter = await compile(rules, told);
  makeDirectory(join(root.path, "cache"));
  writeFileAtomic(file, filter, { volatile: true });
  return filter;
}

async function compile(rules: CallRules, told: boolean): Promise<string> {
  const { seccompFilter } = await import("./seccomp-filter.ts");
  return Buffer.from(seccompFilter(rules, told)).toString("base64");
}

/** AF_UNIX takes 107 bytes. */
const longestSocket = 107;

/**
 * Where native/refusals listens for the instance; undefined where nobody does: its filter is off, is the caller's own or has another listener already (an observed
 * instance may be), the path of the state root is too long, or the kernel does not tell when the last task of a filter has gone (5.8).
 */
export function refusalsSocket(root: StateRoot, record: InstanceRecord): string | undefined {
  if (record.syscalls === "off" || record.syscalls === "given" || record.observe !== undefined)
    return undefined;
  const path = socketPath(root, record.id);
  return path.length <= longestSocket && kernelTells() ? path : undefined;
}

export function socketPath(root: StateRoot, id: string): string {
  return join(root.path, "refused", id.slice(0, 16));
}

function kernelTells(): boolean {
  // node:os is more than a start should load.
  const release = readFileSync("/proc/sys/kernel/osrelease", "latin1");
  const [major = 0, minor = 0] = release.split(".").map(Number);
  return major > 5 || (major === 5 && minor >= 8);
}

/** Somebody listens at the socket. */
export function isListening(socket: string): boolean {
  if (!existsSync(socket)) return false;
  return readFileSync("/proc/self/net/unix", "latin1")
    .split("\n")
    .some((line) => line.endsWith(` ${socket}`));
}
