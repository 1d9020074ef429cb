// State roots of root and of an ordinary user in one home, and the command line as each of them calls it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStateRoot, type StateRoot } from "../../src/host/state-root.ts";
import { programWords } from "../integration/runtime-fixture.ts";

export type Who = "root" | "user";

export interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Not even in /etc/passwd, as in many containers. */
const uid = "54321";
/** Words that make a command the ordinary user's. */
export const stranger = ["setpriv", "--reuid", uid, "--regid", uid, "--clear-groups"];

export class TwoUsers {
  readonly home: string;
  readonly roots: Readonly<Record<Who, StateRoot>>;

  constructor(name: string) {
    this.home = mkdtempSync(join(tmpdir(), `tranship-${name}-`));
    chmodSync(this.home, 0o755);
    this.roots = {
      root: openStateRoot(join(this.home, "root")),
      user: openStateRoot(join(this.home, "user")),
    };
  }

  /** What was put into the user's state root by root becomes its own. */
  handOver(): void {
    spawnSync("chown", ["-R", `${uid}:${uid}`, this.roots.user.path]);
  }

  readonly cli = (who: Who, ...args: string[]): Outcome => {
    const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
    const [program = "", ...rest] = [
      ...(who === "user" ? stranger : []),
      ...programWords(args[0] === "run"),
      ...args,
    ];
    return spawnSync(program, rest, {
      cwd: "/",
      encoding: "utf8",
      timeout: 60_000,
      env: { ...env, HOME: this.home, TRANSHIP_ROOT: this.roots[who].path },
    });
  };

  /** What it printed; fails where it did. */
  readonly done = (who: Who, ...args: string[]): string => {
    const { status, stdout, stderr } = this.cli(who, ...args);
    assert.equal(status, 0, `${args.join(" ")}: ${stdout}${stderr}`);
    return stdout;
  };

  remove(): void {
    rmSync(this.home, { recursive: true, force: true });
  }
}
