// Two witnesses of one run become one evidence: the union of what they saw, and what only one of them saw.
// They name a file differently: the tracer as the program wrote it, with symbolic links on the way; the file witness by the name
// that the kernel has for it. So what does not agree by name is resolved on the source before it counts as seen by one alone.
import type { ByteString } from "../../formats/entry.ts";
import type { MachineFiles } from "../../machine/machine.ts";
import { parentOf } from "../seeds/seeds.ts";
import { type Evidence, noteUse, type PathEvidence, type Programs, type Use } from "./evidence.ts";
import type { WitnessEvidence } from "./reduce-witness.ts";

type Uses = ReadonlyMap<Use, Programs>;

/** These the file witness does not watch. */
const notWatched = /^\/(proc|sys|dev|\.tranship)(\/|$)/;

/** The loader of an ELF program: the kernel opens it, so that no tracer of calls can see it. */
const loader = /\/(ld-[^/]*|ld\.so[^/]*|ld64\.so[^/]*)$/;

/** Adds to `evidence` what `witness` saw, and says in `evidence.agreement` how far they agree. */
export async function joinWitnesses(
  evidence: Evidence,
  witness: WitnessEvidence,
  files: MachineFiles,
): Promise<void> {
  evidence.lost.push(...witness.lost);
  if (witness.unavailable !== undefined) {
    evidence.warnings.push(`without the file witness: ${witness.unavailable}`);
    return;
  }
  const opened = [...evidence.paths].filter(([path, seen]) => seen.opened && !notWatched.test(path));
  const names = await canonicalNames(opened, witness, files);
  const tracerOnly = new Set<ByteString>();
  const both = new Set<ByteString>();
  for (const [path, seen] of opened) {
    const name = names.get(path);
    if (name === undefined) continue; // a device or a pipe
    seen.witnessed = witness.paths.has(name);
    if (seen.witnessed) both.add(name);
    else if (!vanished(seen)) tracerOnly.add(name);
  }
  const rest = [...witness.paths].filter(([path]) => !both.has(path));
  const known = await knownOtherwise(evidence, rest, files);
  const alone = rest.filter(([path, uses]) => !known.has(path) && !byNature(path, uses));
  for (const [path, uses] of rest) addWitnessed(evidence, known.get(path) ?? path, uses);
  for (const [path] of alone) {
    const seen = evidence.paths.get(path);
    if (seen !== undefined) seen.traced = false;
  }
  evidence.agreement = {
    both: both.size,
    tracerOnly: [...tracerOnly].sort(),
    witnessOnly: alone.map(([path]) => path).sort(),
  };
}

function addWitnessed(evidence: Evidence, path: ByteString, uses: Uses): void {
  for (const [use, programs] of uses) {
    for (const by of programs) {
      const seen = noteUse(evidence, path, use, by);
      seen.found = true;
      seen.opened = true;
      seen.witnessed = true;
    }
  }
}

/** A name that went by while the run went on: the witness told the file's next name. */
function vanished(seen: PathEvidence): boolean {
  return seen.uses.has("rename") || seen.uses.has("unlink");
}

function byNature(path: ByteString, uses: Uses): boolean {
  return loader.test(path) && [...uses.keys()].every((use) => use === "exec");
}

/** Of paths that the tracer did not see opened: its own names of those that it knows all the same, looked at or renamed. */
async function knownOtherwise(
  evidence: Evidence,
  rest: readonly [ByteString, Uses][],
  files: MachineFiles,
): Promise<Map<ByteString, ByteString>> {
  const own = rest.map(([path]) => path).filter((path) => evidence.paths.get(path)?.found);
  const known = new Map(own.map((path) => [path, path]));
  if (known.size === rest.length) return known;
  const looked = [...evidence.paths].filter(([, seen]) => seen.found && !seen.opened);
  await Promise.all(
    looked.map(async ([path]) => {
      const name = await canonicalName(path, files);
      if (name !== undefined && !known.has(name)) known.set(name, path);
    }),
  );
  return known;
}

/** Names as the kernel has them of what was opened; none for what makes no event: devices, pipes, sockets. */
async function canonicalNames(
  opened: readonly [ByteString, PathEvidence][],
  witness: WitnessEvidence,
  files: MachineFiles,
): Promise<Map<ByteString, ByteString>> {
  const names = new Map<ByteString, ByteString>();
  const unlike: ByteString[] = [];
  for (const [path, seen] of opened) {
    if (witness.paths.has(path)) names.set(path, path);
    else if (!seen.uses.has("mknod")) unlike.push(path);
  }
  await Promise.all(
    unlike.map(async (path) => {
      const name = await canonicalName(path, files);
      if (name !== undefined && !notWatched.test(name)) names.set(path, name);
    }),
  );
  return names;
}

async function canonicalName(path: ByteString, files: MachineFiles): Promise<ByteString | undefined> {
  const { entry } = await files.resolve(path);
  if (entry !== undefined)
    return entry.kind === "file" || entry.kind === "directory" ? entry.path : undefined;
  // Made by the run: its directory is on the source, or the one above.
  if (path === "/" || path === "") return path;
  const parent = await canonicalName(parentOf(path), files);
  if (parent === undefined) return undefined;
  return `${parent === "/" ? "" : parent}${path.slice(path.lastIndexOf("/"))}`;
}
