// Starting native/tree: as this process, or as the root of the user namespace that another process is in.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { callArguments, joinCall } from "./enter.ts";
import { nativePath } from "./native.ts";

export type TreeChild = ChildProcessByStdio<Writable, Readable, Readable>;

/** A process, for the root of its user namespace; or what executes the program that its last word names, with the words that follow. */
export type TreeWithin = number | { readonly program: readonly string[] };

/** `within`: of a process: owners are ids of that namespace then, both ways, and its root is whom files that are made belong to. `detached`: in a session of its own, without our environment. */
export function spawnTree(args: readonly string[], detached: boolean, within?: TreeWithin): TreeChild {
  const options = detached ? { cwd: "/", env: {}, detached: true } : {};
  if (within === undefined)
    return spawn(nativePath("tree"), args, { ...options, stdio: ["pipe", "pipe", "pipe"] });
  if (typeof within === "object") {
    const [program = "", ...words] = within.program;
    return spawn(program, [...words, ...args], { ...options, stdio: ["pipe", "pipe", "pipe"] });
  }
  // It may not walk to our program: that is opened here.
  const program = openSync(nativePath("tree"), "r");
  try {
    const call = joinCall({
      pid: within,
      namespaces: ["user"],
      command: { argv: ["tree", ...args], user: { uid: 0, gid: 0 }, execFd: 3 },
    });
    return spawn(nativePath("enter"), callArguments(call), {
      ...options,
      stdio: ["pipe", "pipe", "pipe", program],
    }) as TreeChild;
  } finally {
    closeSync(program);
  }
}
