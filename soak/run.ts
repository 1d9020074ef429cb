// `npm run soak [-- NAME...]`: the suites with their full counts (every kill point instead of a sample, long random tests).
// Puts the result with date and commit into docs/verification.md.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const top = join(import.meta.dirname, "..");
const page = join(top, "docs/verification.md");
const names = process.argv.slice(2);
const began = Date.now();
const result = spawnSync(process.execPath, [join(top, "test/run.ts"), ...names], {
  encoding: "utf8",
  env: { ...process.env, TRANSHIP_SOAK: "1", CI: "true" },
  stdio: ["ignore", "pipe", "inherit"],
  maxBuffer: 1 << 28,
});
process.stdout.write(result.stdout);
const lines = result.stdout.split("\n").filter((line) => /^(\w+: )?\d+ passed, /.test(line));
// Tables that a test printed for people.
const tables = result.stdout
  .split("\n")
  .filter((line) => line.startsWith("# |"))
  .map((line) => line.slice(2));
const git = (...words: string[]) =>
  spawnSync("git", ["-C", top, ...words], { encoding: "utf8" }).stdout.trim();
const dirty = git("status", "--porcelain", "--untracked-files=no") === "" ? "" : " with changes";
const heading = `## ${new Date().toISOString().slice(0, 10)}, commit ${git("rev-parse", "--short", "HEAD")}${dirty}, ${names.join(" ") || "all suites"}`;
const entry = [
  heading,
  "",
  ...lines.map((line) => `* ${line}`),
  ...(tables.length > 0 ? ["", ...tables, ""] : []),
  `* ${((Date.now() - began) / 60_000).toFixed(1)} min, exit status ${result.status}`,
  "",
].join("\n");
const text = readFileSync(page, "utf8");
const marker = "<!-- results: newest first -->";
writeFileSync(page, text.replace(marker, `${marker}\n\n${entry}`));
process.exitCode = result.status ?? 1;
