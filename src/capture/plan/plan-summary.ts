// A plan in a few lines: groups with counts and bytes, volumes, secrets, what is missing.
import { formatSize } from "../../base/units.ts";
import type { ByteString } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { identityKinds, identityWords, keptIdentity } from "../../package/identity.ts";
import { coverageLines } from "../evidence/coverage.ts";
import type { Agreement } from "../evidence/evidence.ts";
import type { Plan } from "./plan.ts";

const groupsShown = 12;
const largestShown = 8;
const neverShown = 3;
const writesShown = 30;

export function summarizePlan(plan: Plan): string[] {
  const files = plan.groups.reduce((sum, group) => sum + group.files.length, 0);
  const bytes = plan.groups.reduce((sum, group) => sum + group.bytes, 0);
  const lines = [`plan: ${files} paths, ${formatSize(bytes)}, from ${plan.source.machine}`];
  lines.push(...identityLines(plan.package));
  const largest = [...plan.groups].sort((a, b) => b.bytes - a.bytes);
  for (const group of largest.slice(0, groupsShown)) {
    lines.push(
      `  ${formatSize(group.bytes).padStart(9)} ${String(group.files.length).padStart(6)}  ${group.layer.padEnd(8)}${group.name}`,
    );
  }
  if (largest.length > groupsShown) {
    const rest = largest.slice(groupsShown);
    const size = formatSize(rest.reduce((sum, group) => sum + group.bytes, 0));
    lines.push(
      `  ${size.padStart(9)} ${String(rest.reduce((sum, group) => sum + group.files.length, 0)).padStart(6)}  and ${rest.length} more groups`,
    );
  }
  for (const volume of plan.package.volumes)
    lines.push(`  volume ${volume.path} (${volume.size ?? "?"}): ${volume.reason ?? ""}`);
  for (const { path, state, why } of plan.data) lines.push(`  data ${escapeBytes(path)} is ${state}: ${why}`);
  for (const secret of plan.package.secrets) {
    const name = secret.delivery === "mount" ? secret.path : secret.name;
    lines.push(`  secret ${name}: ${secret.reason ?? ""}, left out; give it with --secret`);
  }
  if (plan.package.ports.length > 0)
    lines.push(`  ports ${plan.package.ports.map((port) => `${port.port}/${port.protocol}`).join(", ")}`);
  if (plan.witnesses !== undefined) lines.push(`  ${agreementLine(plan.witnesses)}`);
  const counts = [
    `${plan.excluded.length} left out`,
    `${plan.candidates.length} reachable but not packed`,
    `${plan.missing.length} asked for and absent on the source`,
    ...((plan.edited?.length ?? 0) > 0
      ? [`${plan.edited?.length} configuration files edited since installation`]
      : []),
  ];
  lines.push(`  ${counts.join(", ")}`);
  return lines;
}

/** Who the package is, and what of its source's identity it could be. */
function identityLines({ origin, identity, programs }: Plan["package"]): string[] {
  const { hostname, domain, timezone, locale } = identity;
  const system = [origin.os.id, origin.os.version].filter((word) => word !== "").join(" ");
  const kept = [
    ...(hostname === null ? [] : [`host ${hostname}`]),
    ...(domain === null ? [] : [`domain ${domain}`]),
    ...(timezone === null ? [] : [timezone]),
    ...(locale === null ? [] : [locale]),
    ...identityWords(identity),
  ];
  const users = [...new Set(programs.map((program) => program.user ?? "root"))];
  const all = keptIdentity(identityKinds, origin.identity);
  const could = identityWords({ ...nothingKept, ...all }).filter((word) => !kept.includes(word));
  return [
    `  identity: ${[system, ...kept].join(", ")}${users.length === 0 ? "" : `; runs as ${users.join(", ")}`}`,
    ...(could.length === 0 ? [] : [`  not kept: ${could.join(", ")} (--keep-identity takes it on)`]),
  ];
}

const nothingKept = { macAddress: null, addresses: [], machineId: null, hostId: null, dmi: null };

function agreementLine({ both, tracerOnly, witnessOnly }: Agreement): string {
  return `opened files: ${both} seen by both witnesses, ${tracerOnly.length} by the tracer only, ${witnessOnly.length} by the file witness only`;
}

/** All that `plan show` tells. */
export function describePlan(plan: Plan): string[] {
  const lines = [...summarizePlan(plan), ...watchedLines(plan), ...largestLines(plan)];
  const section = (title: string, list: Plan["excluded"], most: number): void => {
    if (list.length === 0) return;
    lines.push("", `${title} (${list.length})`);
    for (const one of list.slice(0, most)) lines.push(`  ${escapeBytes(one.path)}: ${one.why}`);
    if (list.length > most) lines.push(`  and ${list.length - most} more`);
  };
  section("needed by programs of the plan and not in it", plan.unmet, 20);
  section("left out", plan.excluded, 20);
  section("never exercised, reachable and not packed", plan.candidates, 20);
  section("asked for and absent on the source", plan.missing, 20);
  section("configuration edited since installation", plan.edited ?? [], 20);
  const alone = (paths: readonly ByteString[], why: string) => paths.map((path) => ({ path, why }));
  const { tracerOnly = [], witnessOnly = [] } = plan.witnesses ?? {};
  section("seen by the file witness only", alone(witnessOnly, "not by a call that the tracer stops"), 20);
  section("seen by the tracer only", alone(tracerOnly, "the kernel told the file witness nothing"), 20);
  return lines;
}

/** What was exercised, and where writes go. */
function watchedLines({ coverage, writes }: Plan): string[] {
  const lines =
    coverage.length === 0 ? [] : ["", "exercised while watched", ...coverageLines(coverage, neverShown)];
  if (writes.length > 0) lines.push("", "written while watched, and where that goes");
  for (const { path, to, why, paths, by } of writes.slice(0, writesShown))
    lines.push(`  ${to.padEnd(9)}${escapeBytes(path)} (${paths} paths, by ${escapeBytes(by)}): ${why}`);
  if (writes.length > writesShown) lines.push(`  and ${writes.length - writesShown} more`);
  return lines;
}

/** A plan may have been edited since it was made: what is not in it any more is not told. */
function largestLines(plan: Plan): string[] {
  const packed = new Set(plan.groups.flatMap((group) => group.files));
  const { files, directories } = plan.largest;
  const here = files.filter((file) => packed.has(file.path)).slice(0, largestShown);
  const lines = here.map(
    ({ bytes, path, why }) => `  ${formatSize(bytes).padStart(9)}  ${escapeBytes(path)}: ${why}`,
  );
  const below = directories.slice(0, largestShown).map(({ bytes, path, files: count, why }) => {
    return `  ${formatSize(bytes).padStart(9)} ${String(count).padStart(6)}  ${escapeBytes(path)}: ${why}`;
  });
  return [
    ...(lines.length === 0 ? [] : ["", "largest files", ...lines]),
    ...(below.length === 0 ? [] : ["", "largest directories, with their files", ...below]),
  ];
}
