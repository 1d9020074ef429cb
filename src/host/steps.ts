// Marks before each change of host or state. In normal runs they cost nothing; the tests of repair let a process
// kill itself at the n-th mark (TRANSHIP_CRASH_AT=n) after a dry run has listed them (TRANSHIP_STEPS_FILE), or wait at the
// first one of a name (TRANSHIP_STOP_AT=name) until it gets SIGCONT.
import { appendFileSync } from "node:fs";

const crashAt = Number(process.env.TRANSHIP_CRASH_AT ?? 0);
const listFile = process.env.TRANSHIP_STEPS_FILE;
let stopAt = process.env.TRANSHIP_STOP_AT;
/** native/supervise, which a command may have been or may become, goes on with the same count. */
let passed = Number(process.env.TRANSHIP_STEPS_PASSED ?? 0);

/** Call directly before the change that `name` describes. */
export function step(name: string): void {
  if (crashAt === 0 && listFile === undefined && stopAt === undefined) return;
  passed++;
  if (listFile !== undefined) appendFileSync(listFile, `${passed} ${name}\n`);
  if (passed === crashAt) process.kill(process.pid, "SIGKILL");
  if (name !== stopAt) return;
  stopAt = undefined;
  process.kill(process.pid, "SIGSTOP");
}

/** What a program that this process becomes has to know, to go on counting. */
export function stepsEnvironment(): Readonly<Record<string, string | undefined>> {
  if (crashAt === 0 && listFile === undefined && process.env.TRANSHIP_STOP_AT === undefined) return {};
  return { TRANSHIP_STEPS_PASSED: String(passed), TRANSHIP_STOP_AT: stopAt };
}
