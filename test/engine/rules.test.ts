// Rules that change under programs that run: each call is answered by one table, and what was open before stays open.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { FileRedirection, NetworkRedirection } from "../../src/package/descriptor.ts";
import { networkRule } from "../../src/redirect/endpoints.ts";
import { encodePolicy } from "../../src/redirect/policy-codec.ts";
import { makeTable } from "../../src/redirect/rules.ts";
import { changeRules, giveRulesPage } from "../../src/runtime/inprocess/rules-page.ts";
import { soaking } from "../support/counts.ts";
import { cannotRun, compile, engine, place, run } from "../support/engine.ts";
import { aRule, enginePolicy } from "../support/engine-policy.ts";

const base = join(place, "base");
const page = join(place, "rules");
const policy = join(place, "policy.bin");
const under = [engine, `--policy=${policy}`, `--rules=${page}`, `--package=${base}`];

type Rule = Pick<FileRedirection, "from" | "to" | "mode" | "match">;
const folder = (from: string, to: string, mode: Rule["mode"] = "full"): Rule => ({
  ...{ from, to, mode, match: "folder" },
});

function table(files: readonly Rule[], network: readonly NetworkRedirection[] = []): Uint8Array {
  return encodePolicy(
    enginePolicy({
      files: makeTable([folder("/kept", "/kept"), ...files].map((rule, i) => aRule(rule, i))),
      network: network.map((rule, i) => networkRule(rule, i)),
    }),
  );
}

function begin(files: readonly Rule[]): void {
  writeFileSync(policy, table(files));
  giveRulesPage(page);
}

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** A Python program that does one step, told in one write, for each line that it is given. */
class Steps {
  readonly child: ChildProcess;
  private told = "";
  constructor(script: string) {
    const child = spawn(under[0] ?? "", [...under.slice(1), "/usr/bin/python3", "-c", script]);
    this.child = child;
    children.push(child);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.told += text;
    });
    child.stderr.pipe(process.stderr);
  }
  async step(word = ""): Promise<string> {
    this.told = "";
    this.child.stdin?.write(`${word}\n`);
    while (!this.told.includes("\n"))
      await once(this.child.stdout ?? this.child, "data", { signal: AbortSignal.timeout(30_000) });
    return this.told.trim();
  }
  async end(): Promise<number | null> {
    this.child.stdin?.end();
    if (this.child.exitCode === null) await once(this.child, "exit");
    return this.child.exitCode;
  }
}

const shown = `
import os, subprocess, sys, threading
def read(path):
    try: return open(path).read().strip()
    except OSError as e: return e.strerror
def child(path):
    out = subprocess.run(["/bin/cat", path], capture_output=True, text=True)
    return out.stdout.strip() or "none"
told = []
def other():
    for _ in iter(go.get, None): told.append(read("/app/x")); done.put(1)
import queue
go, done = queue.Queue(), queue.Queue()
t = threading.Thread(target=other, daemon=True); t.start()
for line in sys.stdin:
    go.put(1); done.get()
    print(read("/app/x"), told[-1], child("/app/x"), ",".join(sorted(os.listdir("/app")) if os.path.isdir("/app") else []), sep="|", flush=True)
`;

describe("rules that change", { skip: cannotRun }, () => {
  beforeEach(() => {
    rmSync(base, { recursive: true, force: true });
    for (const name of ["one", "two", "kept"]) {
      mkdirSync(join(base, name), { recursive: true });
      writeFileSync(join(base, name, "x"), `${name}\n`);
      writeFileSync(join(base, name, name), "");
    }
  });

  test("every thread of a program, and what it starts, has the new table at its next call", async () => {
    begin([folder("/app", "/one")]);
    const steps = new Steps(shown);
    assert.equal(await steps.step(), "one|one|one|one,x");
    changeRules(page, table([folder("/app", "/two")]));
    assert.equal(await steps.step(), "two|two|two|two,x");
    changeRules(page, table([{ ...folder("/app", "/"), mode: "hide" }]));
    assert.match(await steps.step(), /^No such file or directory\|No such file or directory\|none\|$/);
    changeRules(page, table([]));
    assert.match(await steps.step(), /^No such file or directory\|/);
    changeRules(page, table([folder("/app", "/one", "read-only")]));
    assert.equal(await steps.step(), "one|one|one|one,x");
    const late = await run([...under, "/bin/sh", "-c", "cat /app/x; echo > /app/x"]);
    assert.match(late.stdout, /^one\n/);
    assert.match(late.stderr, /Read-only|cannot create/);
    assert.equal(await steps.end(), 0);
  });

  test("what is open, or a program's directory, stays what it was", async () => {
    begin([folder("/app", "/one")]);
    const script = `
import os, sys
os.chdir("/app"); f = open("x"); d = os.open("/app", os.O_DIRECTORY)
for line in sys.stdin:
    f.seek(0)
    print(f.read().strip(), open("x").read().strip(), os.getcwd(), open("/app/x").read().strip(),
          open(os.open("x", 0, dir_fd=d)).read().strip(), sep="|", flush=True)
`;
    const steps = new Steps(script);
    assert.equal(await steps.step(), "one|one|/app|one|one");
    changeRules(page, table([folder("/app", "/two"), folder("/old", "/one")]));
    assert.equal(await steps.step(), "one|one|/old|two|one");
    await steps.end();
  });

  test("a table that is damaged, missing, or asks for what a program was not given is not taken", async () => {
    begin([folder("/app", "/one")]);
    const steps = new Steps(shown);
    assert.equal(await steps.step(), "one|one|one|one,x");
    changeRules(page, new TextEncoder().encode("no policy"));
    const before = "import sys\nfor line in sys.stdin: print(open('/app/x').read().strip(), flush=True)";
    assert.match(await steps.step(), /^one\|one\|/);
    changeRules(page, table([folder("/app", "/two", "write-copy")]));
    assert.match(await steps.step(), /^one\|one\|/);
    changeRules(page, table([folder("/app", "/two")]));
    assert.equal(await steps.step(), "two|two|two|two,x");
    await steps.end();
    const later = new Steps(before);
    assert.equal(await later.step(), "two");
    rmSync(`${page}.3`);
    assert.equal(await later.step(), "two");
    await later.end();
    const { status, stderr } = await run([...under, "/bin/true"]);
    assert.deepEqual([status, stderr], [125, `engine: cannot read the policy: ${page}.3\n`]);
  });

  test("addresses lead elsewhere from the next call on, also where no rule was before", async () => {
    begin([]);
    const script = `
import socket, sys
a, b = socket.socket(), socket.socket()
for s in (a, b): s.bind(("127.0.0.1", 0)); s.listen()
ports = {a.getsockname()[1]: "a", b.getsockname()[1]: "b"}
sys.stdin.readline()
print(*ports, flush=True)
for line in sys.stdin:
    try:
        c = socket.socket(); c.settimeout(2); c.connect(("127.0.0.77", 1)); real = c.getsockname()
        for s in (a, b):
            s.settimeout(0.2)
            try:
                if s.accept()[1] == real: print(ports[s.getsockname()[1]], c.getpeername(), flush=True)
            except socket.timeout: pass
    except OSError as e: print(e.strerror, flush=True)
`;
    const steps = new Steps(script);
    const [a = "", b = ""] = (await steps.step()).split(" ");
    const lead = (port: string): NetworkRedirection => ({
      ...{ kind: "connect", from: "127.0.0.77:1", to: `127.0.0.1:${port}` },
    });
    assert.match(await steps.step(), /refused/);
    changeRules(page, table([], [lead(a)]));
    assert.equal(await steps.step(), "a ('127.0.0.77', 1)");
    changeRules(page, table([], [lead(b)]));
    assert.equal(await steps.step(), "b ('127.0.0.77', 1)");
    changeRules(page, table([]));
    assert.match(await steps.step(), /refused/);
    await steps.end();
  });

  test("a page that is none is told at the start", async () => {
    begin([folder("/app", "/one")]);
    appendFileSync(join(place, "none"), "x".repeat(4096));
    const words = [engine, `--policy=${policy}`, `--package=${base}`, `--rules=${join(place, "none")}`];
    const { status, stderr } = await run([...words, "/bin/true"]);
    assert.deepEqual([status, stderr], [125, `engine: not the page of rules: ${join(place, "none")}\n`]);
  });

  test("threads and processes that open, list and start while rules change see one table or the other", async () => {
    begin([folder("/app", "/one")]);
    const child = spawn(under[0] ?? "", [...under.slice(1), compile("turning", "static"), "/app"]);
    let out = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
    });
    const until = Date.now() + (soaking ? 120_000 : 4_000);
    let changes = 0;
    for (; Date.now() < until && child.exitCode === null; changes++) {
      changeRules(page, table([folder("/app", changes % 2 === 0 ? "/two" : "/one")]));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    child.stdin.end();
    if (child.exitCode === null) await once(child, "exit");
    assert.match(out, /^\d+ one, \d+ two, 0 wrong\n$/);
    const [, one = "0", two = "0"] = /^(\d+) one, (\d+) two/.exec(out) ?? [];
    assert.ok(Number(one) > changes / 10 && Number(two) > changes / 10, `${out} after ${changes} changes`);
  });
});
