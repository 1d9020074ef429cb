// The union of two pieces of evidence: of a running program, and of its start under the tracer.
import { addUse, type Evidence } from "./evidence.ts";

/** Adds what `from` has to `into`. What was first there keeps its words. */
export function mergeEvidence(into: Evidence, from: Evidence): void {
  for (const [path, seen] of from.paths) {
    const known = into.paths.get(path);
    if (known === undefined) {
      into.paths.set(path, { ...seen, uses: new Map(seen.uses) });
      continue;
    }
    for (const [use, programs] of seen.uses) for (const by of programs) addUse(known.uses, use, by);
    // The source's own, where either found it there.
    known.madeByRun =
      known.found && seen.found ? known.madeByRun && seen.madeByRun : known.madeByRun || seen.madeByRun;
    known.found ||= seen.found;
    known.absent ||= seen.absent;
    known.opened ||= seen.opened;
    known.traced ||= seen.traced;
    known.witnessed ||= seen.witnessed;
  }
  for (const [path, program] of from.programs) {
    const known = into.programs.get(path);
    if (known === undefined) into.programs.set(path, { ...program, argv: [...program.argv] });
    else known.count += program.count;
  }
  for (const one of from.listeners) {
    const same = into.listeners.some(
      (other) => other.port === one.port && other.protocol === one.protocol && other.address === one.address,
    );
    if (!same) into.listeners.push(one);
  }
  for (const [socket, used] of from.sockets)
    into.sockets.set(socket, used || into.sockets.get(socket) === true);
  for (const [name, signals] of from.reloads) into.reloads.set(name, signals);
  for (const port of from.connected) into.connected.add(port);
  into.ioUring.push(...from.ioUring);
  into.agreement ??= from.agreement;
  into.lost.push(...from.lost);
  into.warnings.push(...from.warnings);
  into.records += from.records;
}
