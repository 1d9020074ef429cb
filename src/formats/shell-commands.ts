// The words of a shell script that may be programs or files: read, not run, so every branch counts.
import type { ByteString } from "./entry.ts";

const maxFound = 400;

/** Where a command may begin: at the start of a line, after a separator, and after the words of the shell itself. */
const commands =
  /(?:^|[;&|()`{]|\b(?:then|else|do|if|elif|while|until|exec|eval|command|nohup|time)\b|!)[ \t]*((?:[A-Za-z_]\w*=[^\s$(`]*[ \t]+)*)([\w.+-]+)(?=[\s;&|)`]|$)/gm;
const paths = /(?:^|[\s"'=:(`<>])(\/[\w.+@-]+(?:\/[\w.+@-]+)+)/gm;

/** Names of commands (looked for in PATH by the shell) and absolute paths, in the order in which they stand there; comments are passed over. */
export function findShellCommands(text: string): { names: string[]; paths: ByteString[] } {
  const code = text.replace(/^[ \t]*#.*$/gm, "").replace(/\\\n/g, " ");
  const found = (pattern: RegExp, group: number): string[] => {
    const words = new Set<string>();
    for (const match of code.matchAll(pattern)) {
      words.add(match[group] ?? "");
      if (words.size >= maxFound) break;
    }
    return [...words];
  };
  return { names: found(commands, 2), paths: found(paths, 1) };
}
