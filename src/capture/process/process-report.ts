// What a person should know of a running program beside its plan: how it differs from its recipe, what was changed since it started.
import type { RunningProgram } from "../../discover/running-program.ts";
import type { ByteString } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import type { MachineFiles } from "../../machine/machine.ts";
import type { Descriptor, Program } from "../../package/descriptor.ts";
import type { Plan } from "../plan/plan.ts";

/** The recipe is what the package uses; each line says where the running program is another one. Values of variables are not told. */
export function differences(recipe: Descriptor, running: Descriptor): string[] {
  const ours = recipe.programs.find((one) => one.name === recipe.services.at(-1)?.program);
  const theirs = running.programs[0];
  if (ours === undefined || theirs === undefined) return [];
  const lines: string[] = [];
  const tell = (what: string, a: string, b: string): void => {
    if (a !== b) lines.push(`${what}: the service's recipe has ${a}, the running program ${b}`);
  };
  const words = (program: Program): string => program.command.join(" ");
  tell("command", words(ours), words(theirs));
  tell("user", ours.user ?? "root", theirs.user ?? "root");
  tell("working directory", ours.workingDirectory ?? "/", theirs.workingDirectory ?? "/");
  // A title that ran on over the variables leaves none of them to compare.
  const told = Object.keys(theirs.environment ?? {}).length > 0;
  const names = new Set([...Object.keys(ours.environment ?? {}), ...Object.keys(theirs.environment ?? {})]);
  const odd = [...names].filter((name) => ours.environment?.[name] !== theirs.environment?.[name]).sort();
  if (told && odd.length > 0) lines.push(`variables that differ: ${odd.join(", ")}`);
  return lines;
}

const shownFiles = 20;

/** Planned configuration that is newer than the program that runs by it: a new start, and so the package, reads the new one. */
export async function changedSince(
  plan: Plan,
  files: MachineFiles,
  program: RunningProgram,
): Promise<string[]> {
  if (program.startedAt === undefined) return [];
  // The system tells its own start to a second only, rounded down.
  const start = BigInt(Math.round(program.startedAt) + 1000) * 1_000_000n;
  const recovered = new Set(plan.recovered?.map((one) => one.path));
  const groups = plan.groups.filter((group) => group.layer === "config" || group.name === "used");
  const paths = groups.flatMap((group) => group.files).filter((path) => !recovered.has(path));
  const changed: ByteString[] = [];
  const entries = await Promise.all(paths.map((path) => files.stat(path)));
  for (const entry of entries) if (entry?.kind === "file" && entry.mtime > start) changed.push(entry.path);
  const written = new Set(plan.package.volumes.map((volume) => volume.path));
  const lines = changed
    .filter((path) => ![...written].some((volume) => path.startsWith(`${volume}/`)))
    .map(
      (path) =>
        `${escapeBytes(path)} was changed since the program started: the package starts with the new content`,
    );
  if (lines.length > shownFiles)
    return [
      ...lines.slice(0, shownFiles),
      `and ${lines.length - shownFiles} more files were changed since it started`,
    ];
  return lines;
}
