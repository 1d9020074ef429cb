// native/supervise, which waits for a command that it then runs: as the process that started us, or as what we become.
import { writeSync } from "node:fs";
import { become } from "./become.ts";
import { stepsEnvironment } from "./steps.ts";

/**
 * TRANSHIP_PREPARE, by native/supervise: the descriptor that the command line goes to, the pid of who waits there, and what it makes
 * for us meanwhile: the draft of an instance with this id, and an enter that reads its call in parts from this descriptor.
 */
const [descriptor, waiting, draft, partsTo] = (process.env.TRANSHIP_PREPARE ?? "").split(":");
// A child of ours has another parent.
delete process.env.TRANSHIP_PREPARE;

/** Of the call that enter has had: none; some; or it cannot be given any. */
let given: "none" | "some" | "refused" = (partsTo ?? "") === "" ? "refused" : "none";

function started(): boolean {
  return waiting !== undefined && Number(waiting) === process.ppid;
}

/** The pid of the process that native/supervise is or will be. */
export function supervisorPid(): number {
  return started() ? process.ppid : process.pid;
}

/** The id of the instance that supervise makes a draft of; asked once, as it is for one instance. */
export function draftId(): string | undefined {
  const id = started() && !draftAsked && draft !== "" ? draft : undefined;
  draftAsked = true;
  return id;
}
let draftAsked = false;

/**
 * A part of the call of the enter that supervise has started: options of `launch`, carried out at once, while we go on. False where
 * there is no such enter: then the call is to be given whole. What fails there is told by enter itself, and ends the chain.
 */
export function enterAhead(words: readonly string[]): boolean {
  if (!started() || given === "refused") return false;
  if (!sendPart(words)) {
    if (given === "none") given = "refused";
    return given === "some";
  }
  given = "some";
  return true;
}

function sendPart(words: readonly string[]): boolean {
  try {
    send(Number(partsTo), Buffer.from([String(words.length), ...words].map((word) => `${word}\0`).join("")));
    return true;
  } catch {
    return false; // it has ended
  }
}

function send(fd: number, message: Uint8Array): void {
  for (let done = 0; done < message.length; ) done += writeSync(fd, message, done);
}

/**
 * Never returns. `command` is supervise's own: its path, then its words up to the command that it is to run; `chain` is that command, `lastPart`
 * what the enter that has had parts of it gets instead.
 */
export function supervise(
  command: readonly string[],
  chain: readonly string[],
  lastPart: readonly string[],
): never {
  const ahead = given === "some";
  const whole = [...command, ...(ahead ? ["--ahead"] : []), "--", ...chain];
  if (!started()) return become(whole);
  const environment = Object.entries(stepsEnvironment()).flatMap(([name, value]) => [
    "--environment",
    value === undefined ? name : `${name}=${value}`,
  ]);
  const words = Buffer.from([...environment, ...whole.slice(1)].map((word) => `${word}\0`).join(""));
  send(Number(descriptor), Buffer.concat([Buffer.from(`${words.length}\0`), words]));
  if (ahead) sendPart(lastPart);
  // The program may have the terminal by now: no clean-up of Node's may touch it. What we are waited for with is supervise's.
  process.kill(process.pid, "SIGKILL");
  for (;;);
}
