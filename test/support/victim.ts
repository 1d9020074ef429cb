// Where hostile input is tried: a root to unpack into, and beside it a victim that must stay as it is.
import * as fs from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { judge, temporaryDirectory } from "./tree.ts";

export interface Scene {
  /** Where is unpacked: beside `victim`, which must stay as it is. */
  root: string;
  victim: string;
  /** Everything about the victim but access times. */
  state: () => string;
}

export function scene(t: TestContext): Scene {
  const top = temporaryDirectory(t);
  const victim = join(top, "victim");
  const root = join(top, "root");
  fs.mkdirSync(join(victim, "sub"), { recursive: true });
  fs.mkdirSync(root);
  fs.writeFileSync(join(victim, "file"), "OUTSIDE");
  fs.writeFileSync(join(victim, "sub/lower"), "OUTSIDE");
  const state = () =>
    judge(victim, "sh", [
      "-c",
      "find . -printf '%p %y %m %U %G %n %s %T@ %C@ %l\\n' | sort; getfattr -R -d -m - . ; cat file sub/lower; ls -A ..",
    ]);
  return { root, victim, state };
}
