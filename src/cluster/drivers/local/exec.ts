// A command in a container, by `tranship exec`; with a terminal where one is asked for, which script(1) provides.
import { childProcess, statusOf } from "../../../host/process.ts";
import type { Running } from "../driver.ts";

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

/** By spaces, with quotes and backslashes as a shell has them; nothing is expanded. */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  for (const [word] of text.matchAll(/(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+/gs))
    words.push(
      word.replace(
        /\\(.)|"((?:[^"\\]|\\.)*)"|'([^']*)'/gs,
        (_, escaped, double, single) => escaped ?? single ?? String(double).replace(/\\(["\\$`])/g, "$1"),
      ),
    );
  return words;
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
