// How the redirections of an instance are carried out, decided once, when it is made: what the package declares and what the command line adds.
import { readlinkSync, realpathSync, statSync } from "node:fs";
import { TranshipError } from "../../base/errors.ts";
import type { FileRedirection } from "../../package/descriptor.ts";
import { hostAllows, hostPathRefused } from "../../redirect/host-paths.ts";
import { locate } from "../../redirect/locate.ts";
import type {
  EntryKind,
  Found,
  LayerEntry,
  MountPlan,
  MountWorld,
  Refusal,
} from "../../redirect/mount-plan.ts";
import { planMounts } from "../../redirect/mounts.ts";
import { cleanPath, type FileRule, fileRule } from "../../redirect/rules.ts";
import { entryInLayers } from "../layers.ts";
import type { InstanceMount, InstanceRedirections } from "../record.ts";

export interface RedirectOptions {
  /** Before those of the package. */
  readonly rules: readonly GivenRule[];
  /** Paths of the host that redirections may show. */
  readonly host: readonly string[];
}

/** --redirect; what it matches is what `to` is. */
export type GivenRule = Pick<FileRedirection, "from" | "to" | "mode">;

export interface ChosenRedirections {
  readonly redirections: InstanceRedirections;
  readonly entries: readonly LayerEntry[];
}

export interface RedirectInput {
  readonly options: RedirectOptions;
  readonly declared: readonly FileRedirection[];
  /** Of the package, topmost first. */
  readonly layers: readonly string[];
  readonly mounts: ReadonlyArray<Pick<InstanceMount, "target">>;
  readonly stateRoot: string;
}

/** undefined: there is nothing to redirect. E_REDIRECTION lists every rule that mounts cannot carry out, with the reason. */
export function chooseRedirections(input: RedirectInput): ChosenRedirections | undefined {
  const { options, declared, layers } = input;
  const host = options.host.map((path) => allowedPath(path, input.stateRoot));
  if (options.rules.length === 0 && declared.length === 0) {
    if (host.length === 0) return undefined;
    throw new TranshipError("E_USAGE", `--allow-host ${host[0]}: there is no redirection`, {
      hint: "only redirections show anything of the host; -v HOSTDIR:PATH mounts a directory",
    });
  }
  const given = options.rules.map((rule, i) => fileRule({ ...rule, match: matchOf(rule, layers) }, i));
  const rules = [...given, ...declared.map((rule, i) => fileRule(rule, i))];
  const plan = planMounts(rules, worldOf(input, host));
  if (plan.refusals.length > 0) throw refused(plan.refusals);
  return { redirections: { rules: toldOf(plan, given), host }, entries: plan.entries };
}

function toldOf(plan: MountPlan, given: readonly FileRule[]): InstanceRedirections["rules"] {
  return plan.made.map(({ rule, made }) => {
    const { from, to, match } = rule;
    const mode = rule.mode as FileRedirection["mode"]; // they come from fileRule()
    return { from, to, match, mode, by: given.includes(rule) ? "command line" : "package", made };
  });
}

/** --allow-host; E_USAGE for what is never shown. */
export function allowedPath(text: string, stateRoot: string): string {
  const path = cleanPath(text);
  const reason = hostPathRefused(path, stateRoot);
  if (reason === undefined) return path;
  throw new TranshipError("E_USAGE", `--allow-host ${text}: ${reason}`, {
    hint: "name the file or folder that a redirection is about",
  });
}

/** What a rule of the command line matches. */
export function matchOf(rule: GivenRule, layers: readonly string[]): FileRedirection["match"] {
  if (rule.mode === "hide") return "folder";
  const { kind } = foundIn(layers, rule.to);
  // The host's own counts where the package has nothing.
  if (rule.mode === "merged" && kind === undefined)
    return statSync(rule.from, { throwIfNoEntry: false })?.isDirectory() === true ? "folder" : "exact";
  return kind === "file" ? "exact" : "folder";
}

function worldOf(input: RedirectInput, allowed: readonly string[]): MountWorld {
  const { layers, mounts, stateRoot } = input;
  return {
    inPackage: (path) => foundIn(layers, path),
    onHost: (path) => kindOnHost(path, allowed, stateRoot),
    allows: (path) => hostAllows(path, allowed),
    mounts: mounts.map((mount) => mount.target),
  };
}

/** Follows every link as the instance would. */
export function foundIn(layers: readonly string[], path: string): Found {
  const readLink = (location: string): string | undefined => {
    const entry = entryInLayers(layers, location);
    return entry?.stat.isSymbolicLink() === true ? readlinkSync(entry.place) : undefined;
  };
  const found = locate(path, { cwd: "/", follow: true, readLink });
  if (!("location" in found)) return { location: cleanPath(path), kind: undefined, nowhere: true };
  const stat = entryInLayers(layers, found.location)?.stat;
  const kind: EntryKind | undefined =
    stat === undefined ? undefined : stat.isDirectory() ? "directory" : "file";
  return { location: found.location, kind };
}

/** Where a link of the host leads to must be allowed as well. */
function kindOnHost(path: string, allowed: readonly string[], stateRoot: string): EntryKind | undefined {
  try {
    const real = realpathSync(path);
    const secret = !hostAllows(real, real === path ? allowed : [...allowed, "/"]);
    if (secret || hostPathRefused(real, stateRoot) !== undefined) return undefined;
    return statSync(real).isDirectory() ? "directory" : "file";
  } catch {
    return undefined; // not there
  }
}

function refused(refusals: readonly Refusal[]): TranshipError {
  const [first] = refusals;
  const rules = refusals.map(({ rule }) => `${rule.from} (${rule.match}, ${rule.mode})`).join(", ");
  const message =
    refusals.length === 1
      ? `${rules}: ${first?.reason}`
      : `${rules} cannot be carried out by mounts: ${first?.reason}`;
  return new TranshipError("E_REDIRECTION", message, {
    hint: first?.hint ?? "",
    details: {
      refusals: refusals.map(({ rule, reason, hint }) => ({
        from: rule.from,
        mode: rule.mode,
        reason,
        hint,
      })),
    },
  });
}
