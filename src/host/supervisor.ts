// native/supervise, which waits for a command that it then runs: as the process that started us, or as what we become.
import { writeSync } from "node:fs";
import { become } from "./become.ts";
import { stepsEnvironment } from "./steps.ts";

/** TRANSHIP_PREPARE, by native/supervise: the descriptor that the command line goes to, and the pid of who waits there. */
const [descriptor, waiting] = (process.env.TRANSHIP_PREPARE ?? "").split(":").map(Number);
// A child of ours has another parent.
delete process.env.TRANSHIP_PREPARE;

function started(): boolean {
  return descriptor !== undefined && waiting === process.ppid;
}

/** The pid of the process that native/supervise is or will be. */
export function supervisorPid(): number {
  return started() ? process.ppid : process.pid;
}

/** Never returns. `command` is supervise's own: its path, then its words. */
export function supervise(command: readonly string[]): never {
  if (!started()) return become(command);
  const environment = Object.entries(stepsEnvironment()).flatMap(([name, value]) => [
    "--environment",
    value === undefined ? name : `${name}=${value}`,
  ]);
  const words = Buffer.from([...environment, ...command.slice(1)].map((word) => `${word}\0`).join(""));
  const message = Buffer.concat([Buffer.from(`${words.length}\0`), words]);
  for (let done = 0; done < message.length; ) done += writeSync(descriptor ?? -1, message, done);
  // The program may have the terminal by now: no clean-up of Node's may touch it. What we are waited for with is supervise's.
  process.kill(process.pid, "SIGKILL");
  for (;;);
}
