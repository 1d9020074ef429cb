// Runs the suites: `node test/run.ts [SUITE...] [PART OF A FILE NAME...]`. Each prints its minutes; a skip prints its reason and is a failure under CI=true.
// A file that failed while another ran beside it runs once more alone: what fails again counts; what does not is named as unsteady, and is a defect to mend.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { run } from "node:test";
import { debian11, lamp } from "./support/roots.ts";

interface Suite {
  name: string;
  folders: string[];
  /** "none": all files in one process (pure code). "process": one process a file. */
  isolation: "none" | "process";
  /** Files at once. */
  concurrency: number;
  /** Only files whose paths fit, and none of the others. */
  only?: RegExp;
  except?: RegExp;
  /** Done before; its result is in force while the suite runs. */
  prepare?: () => void;
}

const top = join(import.meta.dirname, "..");
const builtAlone = /\/(runtime-(run|later|terminal|supervise)|capture-)/;
const suites: readonly Suite[] = [
  { name: "unit", folders: ["test/unit", "test/golden", "test/property"], isolation: "none", concurrency: 1 },
  {
    name: "integration",
    folders: ["test/integration"],
    isolation: "process",
    concurrency: 2,
    except: builtAlone,
    prepare: keepCompiled,
  },
  // What is installed is the built form: hot verbs have an entry of their own there, which the sources do not show; and a capture takes
  // half of the processor time. The others run the sources.
  {
    name: "built",
    folders: ["test/integration"],
    isolation: "process",
    concurrency: 2,
    only: builtAlone,
    prepare: testBuilt,
  },
  { name: "engine", folders: ["test/engine"], isolation: "process", concurrency: 2 },
  { name: "e2e", folders: ["test/e2e"], isolation: "process", concurrency: 2 },
];

/** Of one test, in milliseconds: what hangs must not cost the whole run. */
const longest = process.env.TRANSHIP_SOAK === "1" ? 10_800_000 : 420_000;

interface Count {
  passed: number;
  failed: number;
  skipped: number;
  /** Files with a test that failed. */
  files: Set<string>;
  /** Seconds by file. */
  seconds: Map<string, number>;
}

const strict = process.env.CI === "true";
const wanted = process.argv.slice(2);
/** Parts of paths; a file that holds one of them is run. */
const filters = wanted.filter((word) => !suites.some((suite) => suite.name === word));
const total = { passed: 0, failed: 0, skipped: 0 };
const unsteady: string[] = [];
if (wanted.length === 0 || wanted.some((word) => word !== "unit")) makeRoots();
for (const suite of suites) {
  if (wanted.length > 0 && !wanted.includes(suite.name) && filters.length === 0) continue;
  const files = testFiles(suite).filter(
    (file) => filters.length === 0 || filters.some((word) => file.includes(word)),
  );
  if (files.length === 0) continue;
  const began = Date.now();
  suite.prepare?.();
  const count = await runSuite(suite, files);
  if (suite.isolation === "process") await runAgain(suite, count);
  delete process.env.TRANSHIP_TEST_MAIN;
  delete process.env.NODE_COMPILE_CACHE;
  const minutes = ((Date.now() - began) / 60_000).toFixed(2);
  console.log(
    `${suite.name}: ${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped in ${minutes} min`,
  );
  for (const line of slowest(count)) console.log(line);
  total.passed += count.passed;
  total.failed += count.failed;
  total.skipped += count.skipped;
}
if (total.passed === 0 && total.failed === 0) {
  console.log("no test matched");
  process.exitCode = 1;
}
for (const file of unsteady) console.log(`UNSTEADY ${file}: failed once, passed alone`);
if (strict && total.skipped > 0) console.log(`CI=true: ${total.skipped} skipped tests count as failed`);
console.log(
  `${total.passed} passed, ${total.failed + (strict ? total.skipped : 0)} failed, ${strict ? 0 : total.skipped} skipped`,
);
if (total.failed > 0 || (strict && total.skipped > 0)) process.exitCode = 1;

/** A build of its own, so that dist/ of the checkout stays as it is. It finds what is not bundled beside it, as an installation does. */
function testBuilt(): void {
  const place = mkdtempSync(join(tmpdir(), "tranship-built-"));
  process.on("exit", () => rmSync(place, { recursive: true, force: true }));
  const built = spawnSync(process.execPath, [join(top, "scripts/build.ts"), join(place, "dist")], {
    stdio: "inherit",
  });
  if (built.status !== 0) throw new Error(`scripts/build.ts ended with status ${built.status}`);
  // bin is copied: through a link the launcher would find the checkout and its sources.
  cpSync(join(top, "bin"), join(place, "bin"), { recursive: true });
  for (const name of ["native", "node_modules", "package.json"])
    symlinkSync(join(top, name), join(place, name));
  process.env.TRANSHIP_TEST_MAIN = join(place, "dist/start.cjs");
}

/** A start of the sources takes a quarter of the processor time where what Node made of them is kept. Only for the suite: what is traced must not find it. */
function keepCompiled(): void {
  const place = mkdtempSync(join(tmpdir(), "tranship-compiled-"));
  process.on("exit", () => rmSync(place, { recursive: true, force: true }));
  process.env.NODE_COMPILE_CACHE = place;
}

/** The old machines of integration and e2e tests; made once and kept (see test/support/roots.ts). */
function makeRoots(): void {
  if (process.getuid?.() !== 0) return; // those tests tell themselves that they need root
  for (const [program, root] of [
    ["build-base", debian11],
    ["build-source", lamp],
  ] as const) {
    const made = spawnSync(join(top, "demo", program), [root], { stdio: "inherit" });
    if (made.status !== 0) throw new Error(`demo/${program} ${root} ended with status ${made.status}`);
  }
}

function testFiles(suite: Suite): string[] {
  const found: string[] = [];
  // An empty folder is not there in a fresh checkout.
  for (const folder of suite.folders.filter((name) => existsSync(join(top, name)))) {
    for (const entry of readdirSync(join(top, folder), { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (!entry.isFile() || !path.endsWith(".test.ts")) continue;
      if ((suite.only?.test(path) ?? true) && !suite.except?.test(path)) found.push(path);
    }
  }
  return found.sort();
}

/** Gives each file that failed a second try, alone; `count` then tells what holds after it. */
async function runAgain(suite: Suite, count: Count): Promise<void> {
  // What broke everything would only take twice as long; in a soak nothing runs beside another, and what failed once has failed.
  if (count.files.size > 5 || process.env.TRANSHIP_SOAK === "1") return;
  for (const file of [...count.files]) {
    console.log(`again, alone: ${relative(top, file)}`);
    const second = await runSuite({ ...suite, concurrency: 1 }, [file]);
    if (second.failed > 0) continue;
    count.files.delete(file);
    unsteady.push(relative(top, file));
  }
  if (count.files.size > 0) return;
  count.passed += count.failed;
  count.failed = 0;
}

function runSuite(suite: Suite, files: string[]): Promise<Count> {
  const count: Count = { passed: 0, failed: 0, skipped: 0, files: new Set(), seconds: new Map() };
  const isolated = suite.isolation === "process";
  const stream = run({
    files,
    isolation: suite.isolation,
    timeout: longest,
    // What a test that failed has left open must not keep its file from ending.
    ...(isolated ? { concurrency: suite.concurrency, execArgv: ["--test-force-exit"] } : {}),
  });
  stream.on("test:pass", (event) => {
    if (event.details.type === "suite" || isFileOf(event.name)) return;
    if (event.skip !== undefined && event.skip !== false) {
      count.skipped++;
      console.log(`skip: ${event.name}: ${event.skip === true ? "no reason given" : event.skip}`);
    } else count.passed++;
  });
  stream.on("test:fail", (event) => {
    if (event.details.type === "suite" && event.details.error.message.includes("subtest")) return;
    count.failed++;
    count.files.add(event.file ?? "");
    console.log(`FAIL ${relative(top, event.file ?? "")}: ${event.name}`);
    const cause = event.details.error.cause ?? event.details.error;
    console.log(cause instanceof Error ? (cause.stack ?? cause.message) : String(cause));
  });
  stream.on("test:summary", ({ file, duration_ms }) => {
    if (file !== undefined) count.seconds.set(relative(top, file), Math.round(duration_ms / 1000));
  });
  stream.on("test:stderr", (event) => process.stderr.write(event.message));
  stream.on("test:stdout", (event) => {
    // In one process the reporter's own output comes here too; what tests print for people starts with "#".
    if (isolated || event.message.startsWith("#")) process.stdout.write(event.message);
  });
  return new Promise((resolve, reject) => {
    stream.on("end", () => resolve(count));
    stream.on("error", reject);
    stream.resume();
  });
}

/** Where the minutes of a suite go. */
function slowest({ seconds }: Count): string[] {
  const long = [...seconds].filter(([, took]) => took >= 10).sort((a, b) => b[1] - a[1]);
  return long.map(([file, took]) => `  ${took} s ${file}`);
}

/** With a process a file, the file itself is reported as a test. */
function isFileOf(name: string): boolean {
  return name.endsWith(".test.ts");
}
