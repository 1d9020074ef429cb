// A command in a container, by `tranship exec`; with a terminal where one is asked for, which script(1) provides.
import { childProcess, statusOf } from "../../../host/process.ts";
import type { Running } from "../driver.ts";
import { splitWords } from "../exec-words.ts";

export function startExec(
  self: readonly string[],
  instance: string,
  command: string,
  terminal: boolean,
): Running {
  // The command is one text, as with the real service: a shell in the container takes it apart, and where there is none, spaces do.
  const words = splitWords(command);
  const inner = [...self, "exec", "-i", ...(terminal ? ["-t"] : []), instance, ...words];
  const [program = "", ...args] = terminal
    ? ["script", "-qefc", inner.map(quote).join(" "), "/dev/null"]
    : inner;
  const child = childProcess().spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.on("error", () => {}); // it may end before it has read
  return {
    write: (chunk) => child.stdin.write(chunk),
    end: () => child.stdin.end(),
    kill: () => child.kill("SIGTERM"),
    pause: () => {
      child.stdout.pause();
      child.stderr.pause();
    },
    resume: () => {
      child.stdout.resume();
      child.stderr.resume();
    },
    onOutput: (stdout, stderr) => {
      child.stdout.on("data", stdout);
      child.stderr.on("data", stderr);
    },
    onExit: (listener) => {
      child.once("error", () => listener(125));
      child.once("close", (code, signal) => listener(statusOf(code, signal)));
    },
  };
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
