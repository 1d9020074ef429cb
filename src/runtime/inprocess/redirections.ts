// Redirections of files in process: decided once, when an instance is made, so that each start does the same. The place of a rule in the record is the name of the
// directory of its copies, as with mounts.
import { TranshipError } from "../../base/errors.ts";
import type { FileRedirection } from "../../package/descriptor.ts";
import { hostAllows } from "../../redirect/host-paths.ts";
import { reserved } from "../../redirect/mount-plan.ts";
import { type FileRule, fileRule, isWithin } from "../../redirect/rules.ts";
import type { InstanceRedirection } from "../record.ts";
import {
  allowedPath,
  type ChosenRedirections,
  foundIn,
  matchOf,
  type RedirectInput,
} from "../redirect/choose.ts";

/** undefined: there are none. `layers` of the input: its own copy of the package. E_REDIRECTION for what the engine cannot do. */
export function engineRedirections(input: RedirectInput): ChosenRedirections | undefined {
  const { options, declared, layers, mounts, stateRoot } = input;
  const host = options.host.map((path) => allowedPath(path, stateRoot));
  const given = options.rules.map((rule, i) => fileRule({ ...rule, match: matchOf(rule, layers) }, i));
  const own = declared.map((rule, i) => fileRule(rule, i));
  const taken = new Set(mounts.map(({ target }) => target));
  // What is mounted at the very place counts before a rule.
  const rules = [...given, ...own].filter(({ from }) => !taken.has(placeIn(layers, from)));
  if (rules.length === 0 && host.length === 0) return undefined;
  const made = rules.map((rule) => decide(rule, layers, host, given.includes(rule)));
  return { redirections: { rules: made, host }, entries: [] };
}

/** Where links of the package lead; of what is not there the names stay. */
function placeIn(layers: readonly string[], from: string): string {
  const { location, nowhere } = foundIn(layers, from);
  return nowhere === true ? from : location;
}

function decide(
  rule: FileRule,
  layers: readonly string[],
  host: readonly string[],
  given: boolean,
): InstanceRedirection {
  const { from, to, match } = rule;
  const at = placeIn(layers, from);
  const its = [at, to].find((path) => reserved.some((one) => isWithin(path, one)));
  if (its !== undefined)
    throw refused(rule, `${its} belongs to the instance itself`, "redirect from or to another path");
  const by = given ? "command line" : "package";
  const mode = rule.mode as FileRedirection["mode"]; // they come from fileRule()
  if (mode === "hide") return { from, to, match, mode, by, made: engine(at, null, null) };
  const { location, kind, nowhere } = foundIn(layers, to);
  const source = nowhere === true ? null : location;
  const shown = hostAllows(at, host);
  if (mode === "merged" && !shown) {
    if (match === "folder")
      throw refused(rule, "it is written on the host, and the host's may not be seen", hintOf(at));
    if (kind !== "file")
      throw refused(rule, "the package has no such file, and the host's may not be seen", hintOf(at));
    // As a bind mount of it would be.
    return { from, to, match, mode, by, made: engine(at, source, null) };
  }
  // The engine shows all below what is allowed, and has no list of secrets.
  if (mode === "write-copy" && !shown && host.some((one) => isWithin(at, one)))
    throw refused(rule, `${at} is known to be secret on a host`, hintOf(at));
  const fromHost = shown && (mode === "write-copy" || mode === "merged") ? at : null;
  return { from, to, match, mode, by, made: engine(at, source, fromHost) };
}

function hintOf(from: string): string {
  return `name it itself where the host's is to be seen: --allow-host ${from}`;
}

function engine(at: string, source: string | null, host: string | null): InstanceRedirection["made"] {
  return { as: "engine", at, source, host };
}

function refused({ from, match, mode }: FileRule, reason: string, hint: string): TranshipError {
  return new TranshipError("E_REDIRECTION", `${from} (${match}, ${mode}): ${reason}`, { hint });
}
