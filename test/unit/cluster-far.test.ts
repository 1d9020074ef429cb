// The unit of an agent on a far node, as systemd reads it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { unitText } from "../../src/cluster/far/files.ts";
import { home } from "../../src/cluster/far/scripts.ts";

const skip = spawnSync("systemd-analyze", ["--version"]).status !== 0 && "systemd-analyze is not installed";

test("systemd finds nothing wrong with the unit of an agent", { skip }, (t) => {
  const directory = mkdtempSync(join(tmpdir(), "tranship-unit-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "tranship-agent.service");
  const said = (text: string): string => {
    // The program would have to be there.
    writeFileSync(file, text.replace(`${home}/run`, "/bin/true"));
    const { stdout, stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", file], {
      encoding: "utf8",
    });
    // Other units of this machine are no matter of ours.
    return `${stdout}${stderr}`
      .split("\n")
      .filter((line) => line.includes("tranship"))
      .join("\n");
  };
  const text = unitText("http://[fe80::1%25eth0]:8080");
  assert.equal(said(text), "");
  assert.match(
    said(text.replace("RestartSec=2", "RestartSec=two")),
    /Failed to parse/,
    "what is wrong is told",
  );
  assert.match(said(text.replaceAll("%%", "%")), /25eth0/, "and so is a specifier that none is");
});
