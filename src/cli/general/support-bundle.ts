// What a report of a defect needs: versions, doctor's findings, the state's shape. No file contents, no environment values.
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { escapeBytes } from "../../formats/escape.ts";
import { ioError, readText } from "../../host/files.ts";
import { installRoot } from "../../host/native.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, text } from "../verb.ts";
import { run as runDoctor } from "./doctor.ts";
import { versionText } from "./version-text.ts";

const listed = 5000;

export async function run(call: Call, context: Context): Promise<undefined> {
  const file = text(call.options, "output") ?? "tranship-support.json.gz";
  let doctor = "";
  await runDoctor({ args: [], options: {} }, { ...context, root: context.root, signal: context.signal, print: (words) => {
    doctor += `${words}\n`;
  } }); // biome-ignore format: one call
  const bundle = {
    schema: "tranship/support-bundle",
    version: 1,
    tool: versionText(installRoot),
    node: process.version,
    system: {
      os: redact(readText("/etc/os-release") ?? ""),
      kernel: readText("/proc/version") ?? "",
      cgroups: readText("/proc/self/cgroup") ?? "",
    },
    doctor: doctor.split("\n"),
    state: stateShape(context.root.path),
    journal: journal(context.root.journal),
  };
  try {
    writeFileSync(file, gzipSync(`${JSON.stringify(bundle, null, 2)}\n`), { mode: 0o600 });
  } catch (cause) {
    throw ioError(`cannot write ${file}`, cause);
  }
  const format = text(call.options, "format");
  context.print(
    format === undefined || format === "table" ? file : printValue({ file: resolve(file) }, format),
  );
  context.say(
    "it holds versions, doctor's findings, and names and sizes of the state's files; look at it with zcat before you send it",
  );
}

/** Names and sizes only; blobs and layers by count. */
function stateShape(root: string): { entries: { path: string; size: number; mode: string }[]; cut: boolean } {
  const entries: { path: string; size: number; mode: string }[] = [];
  const visit = (directory: string): void => {
    for (const name of readdirSync(directory)) {
      if (entries.length >= listed) return;
      const path = join(directory, name);
      const stat = statSync(path, { throwIfNoEntry: false });
      if (stat === undefined) continue;
      const own = relative(root, path);
      entries.push({ path: escapeBytes(own), size: stat.size, mode: stat.mode.toString(8) });
      // What applications wrote is theirs: their file names are not listed.
      const foreign = /^(layers|volumes)\/[^/]+$|^instances\/[^/]+\/(upper|work|run)$|^work\/[^/]+$/.test(
        own,
      );
      if (stat.isDirectory() && !foreign) visit(path);
    }
  };
  visit(root);
  return { entries, cut: entries.length >= listed };
}

function journal(directory: string): string[] {
  return readdirSync(directory).map((name) => redact(readText(join(directory, name)) ?? ""));
}

/** Anything that looks like a credential is blanked, wherever it came from. */
export function redact(words: string): string {
  return words
    .replace(
      /((?:pass(?:word|wd)?|secret|token|key|auth)[A-Za-z_]*["']?\s*[=:]\s*["']?)[^\s"',}]+/gi,
      "$1***",
    )
    .replace(/\/\/[^/\s:@]+:[^/\s@]+@/g, "//***@");
}
