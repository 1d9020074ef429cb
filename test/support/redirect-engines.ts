// What runs a program under rules of redirection, for the table that all engines are held to.
import assert from "node:assert/strict";
import type { FileRedirection } from "../../src/package/descriptor.ts";
import { makeFixture, makePackage, whyNot } from "../integration/runtime-fixture.ts";
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
