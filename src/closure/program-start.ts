// How a program of the application is started: what its variables and arguments name, no trace has to show.
import type { ByteString } from "../formats/entry.ts";

export interface ProgramStart {
  /** As the descriptor calls it. */
  name: string;
  command: readonly ByteString[];
  variables: Readonly<Record<string, ByteString>>;
  workingDirectory: ByteString;
}

/** A directory that the program is told to make its root (named -t, --chroot): names are meant inside of it as well. */
export function rootsOf(start: ProgramStart): ByteString[] {
  const roots: ByteString[] = [];
  for (const [index, word] of start.command.entries()) {
    const told = /^--chroot(?:-dir)?=(\/.+)$/.exec(word)?.[1];
    const named = /(^|\/)named$/.test(start.command[0] ?? "");
    const next =
      /^(--chroot(-dir)?)$/.test(word) || (word === "-t" && named) ? start.command[index + 1] : undefined;
    for (const root of [told, next])
      if (root?.startsWith("/") && root !== "/") roots.push(root.replace(/\/+$/, ""));
  }
  return roots;
}
