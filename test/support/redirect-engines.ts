// What runs a program under rules of redirection, for the table that all engines are held to.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import type { FileRedirection } from "../../src/package/descriptor.ts";
import { encodePolicy } from "../../src/redirect/policy-codec.ts";
import { makeTable } from "../../src/redirect/rules.ts";
import { makeFixture, makePackage, whyNot } from "../integration/runtime-fixture.ts";
import { cannotRun, engine, run } from "./engine.ts";
import { aRule, enginePolicy } from "./engine-policy.ts";
import type { Engine } from "./redirect-table.ts";

export interface RedirectedRun {
  /** Fills the root directory of the package. */
  prepare(tree: string): void;
  rules: readonly FileRedirection[];
  /** What of this host may be seen. */
  host: readonly string[];
  /** With the package's own paths. */
  command: readonly string[];
}

export interface RedirectEngine {
  readonly name: Engine;
  /** Why it cannot run here; undefined: it can. */
  whyNot(): string | undefined;
  run(input: RedirectedRun): Promise<{ status: number; stdout: string; stderr: string }>;
}

export const namespaceEngine: RedirectEngine = {
  name: "namespace",
  whyNot,
  async run({ prepare, rules, host, command }) {
    const fixture = await makeFixture();
    try {
      const redirections = { files: rules, network: [], registry: [] };
      await makePackage(fixture.root, "calls:1", { prepare, descriptor: { redirections } });
      const allowed = host.flatMap((path) => ["--allow-host", path]);
      const result = await fixture.cli([
        "run",
        "--rm",
        "--network",
        "none",
        ...allowed,
        "calls:1",
        ...command,
      ]);
      await fixture.clean();
      return result;
    } finally {
      await fixture.remove();
    }
  },
};

/** The package's files are the root of what the program sees, as under the other engine. */
const world = [
  rule("/", "/", "folder", "full"),
  ...["/dev", "/proc", "/sys"].map(
    (from) => ({ ...rule(from, "/", "folder", "full"), mode: "host" }) as const,
  ),
];

export const inProcessEngine: RedirectEngine = {
  name: "in-process",
  whyNot: () => (cannotRun === false ? undefined : cannotRun),
  async run({ prepare, rules, host, command }) {
    const work = mkdtempSync(join(tmpdir(), "tranship-in-process-"));
    try {
      const [tree, copies, policy] = ["package", "copies", "policy.bin"].map((name) => join(work, name)) as [
        string,
        string,
        string,
      ];
      for (const name of ["bin", "tmp", "etc"]) mkdirSync(join(tree, name), { recursive: true });
      mkdirSync(copies);
      execFileSync("cp", ["/bin/busybox", join(tree, "bin/busybox")]);
      for (const name of ["sh", "mkdir", "cat", "ls"]) symlinkSync("busybox", join(tree, "bin", name));
      prepare(tree);
      // A rule is for a place: links on the way to it are those of the package.
      const placed = (from: string): string => {
        const above = join(tree, dirname(from));
        const shown = realpathSync(above, { encoding: "utf8" }).slice(realpathSync(tree).length);
        return `${shown}/${basename(from)}`;
      };
      const given = rules.map((one) =>
        one.from.startsWith("/linked/") ? { ...one, from: placed(one.from) } : one,
      );
      const table = makeTable([...given, ...world].map((one, index) => aRule(one, index)));
      writeFileSync(policy, encodePolicy(enginePolicy({ files: table })));
      const options = [`--policy=${policy}`, `--package=${tree}`, `--copies=${copies}`];
      options.push(...host.map((path) => `--allow-host=${path}`));
      return await run([engine, ...options, ...command], { cwd: "/", env: { PATH: "/bin" } });
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  },
};

export function rule(
  from: string,
  to: string,
  match: FileRedirection["match"],
  mode: FileRedirection["mode"],
): FileRedirection {
  return { from, to, match, mode };
}

/** "OPERATION KIND: ANSWER" by line. */
export function answersOf(text: string): Map<string, string> {
  const lines = text.split("\n").filter((line) => line !== "");
  const answers = new Map(lines.map((line) => line.split(": ", 2) as [string, string]));
  assert.equal(answers.size, lines.length, "an operation answers twice");
  return answers;
}
