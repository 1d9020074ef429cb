// What is wrong with the redirections of a descriptor, or will be when it runs: what an engine refuses, what never decides, and what leads elsewhere than it seems to.
import { isTranshipError } from "../base/errors.ts";
import type { Descriptor, FileRedirection } from "../package/descriptor.ts";
import type { LintFinding, PackageFiles } from "../package/lint.ts";
import { clockRule } from "./clock.ts";
import { networkRule } from "./endpoints.ts";
import type { EntryKind, MountWorld } from "./mount-plan.ts";
import { planMounts } from "./mounts.ts";
import { cleanPath, type FileRule, fileRule, isWithin } from "./rules.ts";

/** In the order of the descriptor's keys. `files` undefined: only what the text alone tells. */
export function lintRedirections(
  descriptor: Pick<Descriptor, "elements" | "redirections" | "volumes">,
  files: PackageFiles | undefined,
): LintFinding[] {
  const { elements, redirections } = descriptor;
  const rules = redirections.files.map((given, i) => fileRule(given, i));
  return [
    ...unreadable(["elements", "clock"], "element-invalid", () => clockRule(elements.clock)),
    ...redirections.files.flatMap((given, i) => [
      ...merged(given, i),
      ...shadowed(rules, i, files),
      ...chained(rules, i),
      ...target(given, i, files),
    ]),
    ...(files === undefined ? [] : unmountable(rules, descriptor, files)),
    ...redirections.network.flatMap((given, i) =>
      unreadable(["redirections", "network", i], "redirection-invalid", () => networkRule(given, i)),
    ),
  ];
}

/** What compiling it throws. */
function unreadable(path: (string | number)[], id: LintFinding["id"], compile: () => unknown): LintFinding[] {
  try {
    compile();
    return [];
  } catch (error) {
    if (!isTranshipError(error)) throw error;
    return [{ id, severity: "error", path, message: error.message, hint: error.hint ?? "" }];
  }
}

function* merged(rule: FileRedirection, i: number): Generator<LintFinding> {
  if (rule.mode !== "merged" || rule.match !== "folder") return;
  yield {
    id: "merged-folder",
    severity: "error",
    path: ["redirections", "files", i, "mode"],
    message: `${rule.from} is a folder that is merged with the host's: mounts cannot do that, only the engine in process`,
    hint: "use match: exact for single files, or the mode write-copy; or run it with --engine inprocess",
  };
}

/** A rule for a place that an earlier one decides for never does. */
function* shadowed(
  rules: readonly FileRule[],
  i: number,
  files: PackageFiles | undefined,
): Generator<LintFinding> {
  const rule = rules[i];
  if (rule === undefined) return;
  const place = ({ from }: FileRule): string => files?.look(from)?.path ?? from;
  const first = rules.findIndex((other) => place(other) === place(rule) && other.match === rule.match);
  const earlier = rules[first];
  if (earlier === undefined || first >= i) return;
  const same = earlier.from === rule.from;
  yield {
    id: "redirection-order",
    severity: "warning",
    path: ["redirections", "files", i, "from"],
    message: same
      ? `${rule.from} (${rule.match}) is redirected twice: the first rule counts`
      : `${rule.from} (${rule.match}) is ${earlier.from} by links of the package, which redirections.files[${first}] decides for`,
    hint: "remove one of them",
  };
}

/** `to` in the reach of a rule: whoever expects to be led on is not. */
function* chained(rules: readonly FileRule[], i: number): Generator<LintFinding> {
  const rule = rules[i];
  if (rule === undefined || rule.mode === "hide" || rule.to === rule.from) return;
  const next = rules.findIndex((other) =>
    other.match === "exact" ? rule.to === other.from : isWithin(rule.to, other.from),
  );
  const other = rules[next];
  if (other === undefined) return;
  const what = next === i ? "itself" : `redirections.files[${next}]`;
  yield {
    id: "redirection-chain",
    severity: "warning",
    path: ["redirections", "files", i, "to"],
    message: `${rule.to} is redirected by ${what}, and a path is redirected once: ${rule.from} leads to the package's own ${rule.to}`,
    hint:
      other.to === "" ? "let it lead elsewhere if that is not meant" : `write ${other.to} if that is meant`,
  };
}

function* target(rule: FileRedirection, i: number, files: PackageFiles | undefined): Generator<LintFinding> {
  if (files === undefined || rule.mode === "hide") return;
  const found = files.look(cleanPath(rule.to));
  if (found !== undefined && (found.kind === "directory") === (rule.match === "folder")) return;
  yield {
    id: found === undefined ? "redirection-target" : "redirection-kind",
    severity: found === undefined ? "warning" : "error",
    path: ["redirections", "files", i, "to"],
    message:
      found === undefined
        ? `${rule.to} is not in the package`
        : `${rule.to} is ${found.kind === "directory" ? "a folder" : "no folder"}, and the rule is for ${rule.match === "folder" ? "one" : "a single file"}`,
    hint: found === undefined ? "capture it with --include, or correct the rule" : "change `match`",
  };
}

/** What the namespace engine refuses, on a host that has everything and whose user allows all of it. */
function* unmountable(
  rules: readonly FileRule[],
  { volumes }: Pick<Descriptor, "volumes">,
  files: PackageFiles,
): Generator<LintFinding> {
  const kindOf = (path: string): EntryKind | undefined => {
    const kind = files.look(path)?.kind;
    return kind === "other" ? "file" : kind;
  };
  const world: MountWorld = {
    inPackage: (path) => ({ location: files.look(path)?.path ?? path, kind: kindOf(path) }),
    onHost: (path) =>
      rules.some((rule) => rule.from === path && rule.match === "exact") ? "file" : "directory",
    allows: () => true,
    mounts: volumes.map((volume) => cleanPath(volume.path)),
  };
  for (const { rule, about, reason, hint } of planMounts(rules, world).refusals) {
    // The others have findings of their own.
    if (about !== "place") continue;
    const path = ["redirections", "files", rule.declared];
    yield { id: "redirection-refused", severity: "error", path, message: `${rule.from}: ${reason}`, hint };
  }
}
