// Other redirections for an instance of the in-process engine, also for one that runs: its programs have them from their next call on. Under namespaces they are mounts and
// rules of the network, made before the first program.
import { TranshipError } from "../../base/errors.ts";
import { readJson } from "../../host/files.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import type { FileRedirection, NetworkRedirection } from "../../package/descriptor.ts";
import { networkRule } from "../../redirect/endpoints.ts";
import { encodePolicy } from "../../redirect/policy-codec.ts";
import { cleanPath } from "../../redirect/rules.ts";
import { lockInstance } from "../end.ts";
import { note } from "../events/note.ts";
import { findAny, type Instance, readInstance } from "../find.ts";
import type { InstanceRecord, InstanceRedirection } from "../record.ts";
import { writeRecord } from "../record.ts";
import type { GivenRule } from "../redirect/choose.ts";
import { statusOf } from "../state.ts";
import { makeWay } from "./copies.ts";
import { instancePolicy, type PolicyInput } from "./policy.ts";
import { engineRedirections } from "./redirections.ts";
import { changeRules } from "./rules-page.ts";
import { onHost } from "./volumes.ts";

export interface RuleChanges {
  /** Each in the place of the one for the same path, or beside all. */
  readonly redirect: readonly GivenRule[];
  /** Paths whose rules go. */
  readonly redirectRemove: readonly string[];
  readonly connect: readonly NetworkRedirection[];
  /** IP:PORT whose rules go. */
  readonly connectRemove: readonly string[];
}

/** From now on, and for later starts. E_INSTANCE_STATE, E_REDIRECTION where that cannot be. */
export async function updateRules(root: StateRoot, text: string, changes: RuleChanges): Promise<void> {
  const found = findAny(root, text);
  const lock = await lockInstance(found, "update");
  try {
    const instance = readInstance(root, found.record.id);
    if (lock === undefined || instance === undefined) {
      throw new TranshipError("E_INSTANCE_NOT_FOUND", `no such instance: ${text}`, {
        hint: "it was removed a moment ago",
      });
    }
    change(root, instance, changes);
  } finally {
    lock?.release();
  }
}

function change(root: StateRoot, instance: Instance, changes: RuleChanges): void {
  const { paths, record } = instance;
  if (record.engine !== "inprocess") {
    throw new TranshipError("E_INSTANCE_STATE", `the redirections of ${record.name} are those of its start`, {
      hint: "they are mounts and rules of its network: give `run --redirect` or `--connect` to a new instance, or `run --engine inprocess` to one whose redirections are to change",
    });
  }
  const running = statusOf(paths, record.id).pid !== undefined;
  const next = withConnections(withFiles(root, instance, changes), changes, running);
  if (running) {
    const given = readJson(paths.started) as Pick<PolicyInput, "identity" | "mac"> | undefined;
    const policy = instancePolicy({ paths, record: onHost(root, next), ...(given ?? nobody) });
    for (const { from } of changes.redirect) makeWay(paths.tree, placeOfRule(next, from));
    changeRules(paths.rules, encodePolicy(policy));
  }
  step("rules changed");
  writeRecord(paths, next);
  note(root, next, "update");
}

const nobody: Pick<PolicyInput, "identity" | "mac"> = { identity: [], mac: null };

/** The position of a rule names the directory of its copies, so all keep theirs, and those with copies stay. */
function withFiles(
  root: StateRoot,
  { paths, record }: Instance,
  { redirect, redirectRemove }: RuleChanges,
): InstanceRecord {
  const host = record.redirections?.host ?? [];
  const rules = [...(record.redirections?.rules ?? [])];
  for (const from of redirectRemove.map(cleanPath)) {
    const places = rules.flatMap((rule, i) => (isAt(rule, from) ? [i] : []));
    if (places.length === 0)
      throw refused(from, "no rule is about it", "`tranship inspect` lists what is redirected");
    for (const place of places) rules[place] = { ...changeable(rules[place]), removed: true };
  }
  for (const given of redirect) {
    checkMode(given);
    const input = { options: { rules: [given], host: [] }, declared: [], layers: [paths.tree] };
    const made = engineRedirections({ ...input, mounts: record.mounts, stateRoot: root.path });
    const rule = made?.redirections.rules[0];
    if (rule === undefined) throw refused(given.from, "something is mounted there", "redirect another path");
    const places = rules.flatMap((other, i) => (isAt(other, rule.made.at) ? [i] : []));
    for (const place of places) rules[place] = { ...changeable(rules[place]), removed: true };
    rules[places[0] ?? rules.length] = rule;
  }
  return { ...record, redirections: { host, rules } };
}

function isAt({ removed, from, made }: InstanceRedirection, path: string): boolean {
  return removed !== true && (from === path || made.at === path);
}

function placeOfRule({ redirections }: InstanceRecord, from: string): string {
  return redirections?.rules.find((rule) => isAt(rule, from))?.made.at ?? from;
}

function checkMode({ from, mode }: GivenRule): void {
  if (mode === "write-copy")
    throw refused(
      from,
      "write-copy needs a directory of copies that programs are told of at their start",
      hint,
    );
  if (mode === "merged")
    throw refused(from, "what of the host may be seen is told to programs at their start", hint);
}

const hint = "full, read-only and hide can change; give the others to `run` of a new instance";

function changeable(rule: InstanceRedirection | undefined): InstanceRedirection {
  if (rule === undefined) throw new RangeError("no such rule");
  const { from, mode } = rule;
  if (mode === "write-copy" || mode === "merged")
    throw refused(from, `it has the mode ${mode}: files that are open or copied would be left behind`, hint);
  return rule;
}

function refused(from: FileRedirection["from"], reason: string, what: string): TranshipError {
  return new TranshipError("E_REDIRECTION", `${from}: ${reason}`, { hint: what });
}

/** Of one kind the first that fits counts: new ones come before all. */
function withConnections(
  record: InstanceRecord,
  { connect, connectRemove }: RuleChanges,
  running: boolean,
): InstanceRecord {
  if (connect.length === 0 && connectRemove.length === 0) return record;
  const old = record.network.redirections ?? [];
  const gone = [...connectRemove, ...connect.map(({ from }) => from)];
  for (const from of connectRemove)
    if (!old.some((rule) => isSameEnd(rule, from)))
      throw refused(from, "no rule is about it", "`tranship inspect` lists what is redirected");
  if (running && record.elements?.loopback === "fast") {
    throw new TranshipError(
      "E_INSTANCE_STATE",
      `fast loopback of ${record.name} leaves no room for --connect`,
      {
        hint: "stop it first: with redirections of addresses it starts without that element",
      },
    );
  }
  const kept = old.filter((rule) => !gone.some((from) => isSameEnd(rule, from)));
  const added = connect.map((rule) => ({ ...rule, by: "command line" }) as const);
  return { ...record, network: { ...record.network, redirections: [...added, ...kept] } };
}

function isSameEnd(rule: NetworkRedirection, from: string): boolean {
  if (rule.kind !== "connect") return false;
  const end = (text: string): string => JSON.stringify(networkRule({ ...rule, from: text }, 0).from);
  return end(rule.from) === end(from);
}
