// The documents and the table of verbs hold to each other: nothing stale, no dead link, no command that does not exist.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { pages } from "../../scripts/generate-docs.ts";
import { errorCodes } from "../../src/base/errors.ts";
import { commonOptions } from "../../src/cli/common-options.ts";
import { parse } from "../../src/cli/parser.ts";
import { verbs } from "../../src/cli/table/verbs.ts";
import type { Verb } from "../../src/cli/verb.ts";
import { reasonKinds } from "../../src/closure/reason.ts";

const top = join(import.meta.dirname, "../..");
const folders = ["docs", "src", "native", "test", "bench", "soak", "demo", "schemas", "scripts"];

function filesOf(ending: string, within: readonly string[]): string[] {
  return within
    .filter((folder) => existsSync(join(top, folder)))
    .flatMap((folder) => readdirSync(join(top, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

const documents = [
  ...readdirSync(top)
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(top, name)),
  ...filesOf(".md", folders),
];
const shown = (file: string): string => relative(top, file);

test("the documents of the repository are there", () => {
  const names = new Set(documents.map(shown));
  const wanted = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs/glossary.md"];
  assert.deepEqual(
    wanted.filter((name) => !names.has(name)),
    [],
  );
  assert.match(readFileSync(join(top, "LICENSE"), "utf8"), /Apache License\s+Version 2\.0/);
});

test("generated pages are not stale: `npm run docs` makes them", () => {
  for (const [file, make] of pages) assert.equal(readFileSync(file, "utf8"), make(), shown(file));
});

test("every relative link leads to a file", () => {
  const dead: string[] = [];
  for (const file of documents) {
    for (const [, target = ""] of withoutCode(file).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^([a-z]+:|#)/i.test(target)) continue;
      const path = decodeURIComponent(target.replace(/#.*$/, ""));
      if (!existsSync(join(dirname(file), path))) dead.push(`${shown(file)}: ${target}`);
    }
  }
  assert.deepEqual(dead, []);
});

test("every decision is in the list, and its number once", () => {
  const folder = join(top, "docs/decisions");
  const records = readdirSync(folder).filter((name) => /^\d{4}-.*\.md$/.test(name));
  const list = readFileSync(join(folder, "README.md"), "utf8");
  assert.deepEqual(
    records.filter((name) => !list.includes(`(${name})`)),
    [],
  );
  assert.equal(new Set(records.map((name) => name.slice(0, 4))).size, records.length);
});

test("every error code that sources and documents name exists", () => {
  const unknown = new Set<string>();
  for (const file of [...filesOf(".ts", ["src"]), ...documents]) {
    for (const [code] of readFileSync(file, "utf8").matchAll(/\bE_[A-Z]+(?:_[A-Z]+)*\b/g)) {
      if (code !== "E_CODE" && !Object.hasOwn(errorCodes, code)) unknown.add(`${shown(file)}: ${code}`);
    }
  }
  assert.deepEqual([...unknown], []);
});

test("the glossary explains every kind of reason", () => {
  const glossary = readFileSync(join(top, "docs/glossary.md"), "utf8");
  assert.deepEqual(
    reasonKinds.filter((kind) => !glossary.includes(`\n| ${kind} | `)),
    [],
  );
});

test("every verb has a summary and examples that its own flags can read", async () => {
  for (const verb of verbs) {
    assert.notEqual(verb.summary, "", verb.name);
    assert.ok(verb.examples.length > 0, `${verb.name} has no example`);
    for (const example of verb.examples) {
      assert.equal(await problemOf(example, verb), undefined, example);
    }
  }
});

test("no flag is defined twice in a verb", () => {
  for (const verb of verbs) {
    const names = [...(verb.options ?? []), ...commonOptions].flatMap(({ flags }) =>
      [...flags.matchAll(/(?:^|\s)(--?[a-zA-Z][\w-]*)/g)].map(([, name]) => name),
    );
    assert.deepEqual(
      names.filter((name, index) => names.indexOf(name) !== index),
      [],
      verb.name,
    );
    for (const option of verb.options ?? []) assert.notEqual(option.summary, "", verb.name);
  }
});

test("names of verbs are unique, and each can be loaded", async () => {
  assert.equal(new Set(verbs.map((verb) => verb.name)).size, verbs.length);
  for (const verb of verbs) assert.equal(typeof (await verb.load()).run, "function", verb.name);
});

test("every command in the documents exists, with its flags", async () => {
  let count = 0;
  const wrong: string[] = [];
  for (const file of documents) {
    for (const command of commandsIn(readFileSync(file, "utf8"))) {
      count++;
      const problem = await problemOf(command);
      if (problem !== undefined) wrong.push(`${shown(file)}: ${command}: ${problem}`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(count > 50, `only ${count} commands were found`);
});

test("documents name no verb in passing that does not exist", () => {
  const words = new Set(verbs.flatMap((verb) => [verb.name, verb.name.split(" ")[0]]));
  const wrong: string[] = [];
  for (const file of documents) {
    for (const [, verb = ""] of readFileSync(file, "utf8").matchAll(/`(?:bin\/)?tranship ([a-z][a-z-]*)/g)) {
      if (verb !== "help" && !words.has(verb)) wrong.push(`${shown(file)}: tranship ${verb}`);
    }
  }
  assert.deepEqual(wrong, []);
});

function withoutCode(file: string): string {
  return readFileSync(file, "utf8")
    .replace(/^(```|~~~)[\s\S]*?^\1/gm, "")
    .replace(/`[^`\n]*`/g, "");
}

/** Commands of ours in fenced and indented code: behind a prompt, variables or nothing. */
function commandsIn(text: string): string[] {
  const code = [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```/gm)].map(([, kind, body = ""]) => ({
    kind,
    body,
  }));
  const indented = text.replace(/^```[\s\S]*?^```/gm, "").matchAll(/^(?: {4}|\t)(.*)$/gm);
  const all = [...code, { kind: "", body: [...indented].map(([, line]) => line).join("\n") }];
  return all.flatMap(({ kind, body }) =>
    body
      .replace(/\\\n\s*/g, " ")
      .split("\n")
      .filter((line) => kind !== "console" || /^[#$] /.test(line))
      .map((line) => /^(?:[#$] )?(?:[A-Z_]+=\S+ )*(?:bin\/)?(tranship(?: .*)?)$/.exec(line)?.[1])
      .filter((command) => command !== undefined),
  );
}

/** Why a command line cannot be read, or is read as another verb. */
async function problemOf(command: string, verb?: Verb): Promise<string | undefined> {
  const words = split(command).slice(1);
  if (words.length === 0 || words[0] === "help") return undefined;
  try {
    const parsed = await parse(verbs, words);
    if (parsed === undefined) return "only prints help";
    if (verb !== undefined && parsed.verb.name !== verb.name) return `is ${parsed.verb.name}`;
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** As a shell would, as far as documents need it: quotes, and comments at the end. */
function split(command: string): string[] {
  const plain = command.replace(/\s{2,}\S.*$|\s#\s.*$/, "");
  return [...plain.matchAll(/(?:[^\s'"]|'[^']*'|"[^"]*")+/g)].map(([word]) => word.replace(/['"]/g, ""));
}
