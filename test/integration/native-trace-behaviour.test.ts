// No mode of the tracer changes what a program does: hard programs say the same untraced and in every mode, but for what the table
// knows with its reason. And strace is the judge of what was seen: both name the same files.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, normalize } from "node:path";
import { before, test } from "node:test";
import type { TraceRecord } from "../../src/formats/trace-records.ts";
import {
  buildTracer,
  decode,
  make,
  native,
  runTraced,
  scratch,
  traceWords,
  type Way,
  wayName,
  ways,
} from "../support/trace.ts";

const source = join(import.meta.dirname, "../../native/trace/test/behaviour.c");
const build = scratch();
process.on("exit", () => build[Symbol.dispose]());

interface Difference {
  ways: (way: Way) => boolean;
  output: RegExp;
  /** Reason of the LOST record that tells of it. */
  lost: number;
  why: string;
}

interface Case {
  name: string;
  command: readonly string[];
  /** Untraced. */
  output: RegExp;
  differs?: Difference;
}

const everyMode = (): boolean => true;
const refusedPtrace = "a task has one tracer, and it is ours";

const ownCases: Omit<Case, "command">[] = [
  { name: "storm", output: /^storm: 0 odd answers\n$/ },
  { name: "fifo", output: /^fifo: interrupted 5 times\n$/ },
  { name: "exec", output: /^exec: alone\n$/ },
  { name: "family", output: /^family: 21180\n$/ },
  { name: "stop", output: /^stop: 50 stops, ended by 9\n$/ },
  {
    name: "ptrace",
    output: /^ptrace: works\n$/,
    differs: { ways: everyMode, output: /^ptrace: refused\n$/, lost: 1, why: refusedPtrace },
  },
  {
    name: "listener",
    output: /^listener: given\n$/,
    differs: {
      ways: (way) => way.mode === "notify",
      output: /^listener: Device or resource busy\n$/,
      lost: 6,
      why: "the kernel gives one listener for a program, and it is ours",
    },
  },
];

const threads = `
import os, subprocess, threading
def work(): subprocess.run(["true"], check=True); os.stat("/etc/passwd")
pool = [threading.Thread(target=work) for _ in range(12)]
[t.start() for t in pool]; [t.join() for t in pool]
pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 7"], os.environ)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), os.listdir("/proc/self/fd").sort())
`;

const jobControl = `
import os, pty, re, sys, time
pid, fd = pty.fork()
if pid == 0: os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
text = b""
def until(word):
    global text
    while not re.search(word, text): text += os.read(fd, 4096)
    text = b""
os.write(fd, b"PS1='@ '; echo be''gin\\n"); until(b"begin")
os.write(fd, b"sleep 1000\\n"); time.sleep(0.3)
os.write(fd, b"\\x1a"); until(b"Stopped")
os.write(fd, b"bg; jobs -r; echo run''ning\\n"); until(b"running")
os.write(fd, b"fg\\n"); until(b"sleep 1000"); time.sleep(0.3)
os.write(fd, b"\\x03"); os.write(fd, b"echo st''atus $?\\n"); until(b"status 130")
os.write(fd, b"exit 5\\n")
print("bash ended with", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

const foreignCases: Case[] = [
  {
    name: "threads that spawn",
    command: ["/usr/bin/python3", "-c", threads],
    output: /^7 None\n$/,
  },
  {
    name: "job control on a terminal",
    command: ["/usr/bin/python3", "-c", jobControl],
    output: /^bash ended with 5\n$/,
  },
  {
    name: "set-user-id",
    command: ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "./euid"],
    output: /^65534 0\n$/,
  },
  {
    name: "strace inside",
    command: ["sh", "-c", "strace -o strace.out true 2>/dev/null; echo status $?"],
    output: /^status 0\n$/,
    differs: { ways: everyMode, output: /^status [1-9]\d*\n$/, lost: 1, why: refusedPtrace },
  },
  {
    name: "gdb inside",
    command: ["sh", "-c", "gdb -nx -batch -ex run /bin/true 2>/dev/null | grep -c 'exited normally'; true"],
    output: /^1\n$/,
    differs: { ways: everyMode, output: /^0\n$/, lost: 1, why: refusedPtrace },
  },
];

before(() => {
  buildTracer();
  const flags = ["-O1", "-Wall", "-Wextra", "-Werror", "-pthread", source];
  make("gcc", ["-o", join(build.path, "behaviour"), ...flags]);
  make("gcc", ["-m32", "-static", "-o", join(build.path, "behaviour32"), ...flags]);
  make("chmod", ["755", build.path]);
});

/** A program that is set-user-id and says who it is. */
function placeEuid(directory: string): void {
  const text = `#include <stdio.h>\n#include <unistd.h>\nint main(void) { printf("%d %d\\n", getuid(), geteuid()); return 0; }\n`;
  const file = join(directory, "euid.c");
  writeFileSync(file, text);
  make("gcc", ["-o", join(directory, "euid"), file]);
  make("chmod", ["755", directory]);
  make("chmod", ["4755", join(directory, "euid")]);
}

async function check(one: Case, way: Way): Promise<void> {
  using place = scratch();
  if (one.command.includes("./euid")) placeEuid(place.path);
  const run = await runTraced(way, one.command, place.path);
  const differs = way.mode !== "native" && one.differs?.ways(way) ? one.differs : undefined;
  assert.match(run.output, differs?.output ?? one.output, differs?.why);
  assert.equal(run.status, 0, run.output);
  const lost = new Set(run.records.flatMap((record) => (record.type === "lost" ? [record.reason] : [])));
  // A program that was given a listener of its own is told of, too.
  if (differs === undefined) lost.delete(5);
  assert.deepEqual([...lost], differs === undefined || way.mode === "native" ? [] : [differs.lost]);
}

const root = process.getuid?.() === 0;
for (const way of [native, ...ways]) {
  for (const program of way.without === undefined ? ["behaviour", "behaviour32"] : ["behaviour"]) {
    for (const one of ownCases) {
      const command = [join(build.path, program), one.name];
      test(`${program} ${one.name}, ${wayName(way)}`, async () => await check({ ...one, command }, way));
    }
  }
  for (const one of foreignCases) {
    test(`${one.name}, ${wayName(way)}`, async (t) => {
      if (one.command[0] === "setpriv" && !root) t.skip("needs root, to be somebody else");
      else await check(one, way);
    });
  }
}

const judged: Record<string, readonly string[]> = {
  "python3 with TLS and SQLite": ["/usr/bin/python3", "-c", "import ssl, sqlite3, json"],
  "a compiler": ["/usr/bin/gcc", "-O1", "-o", "one", "one.c"],
  "a shell with pipes": ["/bin/sh", "-c", "cat /etc/passwd | sort | wc -l; ls -l /etc/ssl; find . -name x"],
};

/** Paths that differ from run to run, or that the tracer's records name otherwise. */
const unstable = /^\/(proc|dev)(\/|$)|^\/tmp\/cc|\.pyc\.\d+$/;

function straceView(command: readonly string[], directory: string): Set<string> {
  const file = join(directory, "strace.txt");
  const traced = spawnSync(
    "strace",
    ["-f", "-y", "-s", "4096", "-e", "trace=%file", "-o", file, ...command],
    {
      cwd: directory,
      encoding: "utf8",
    },
  );
  assert.equal(traced.status, 0, traced.stderr);
  const paths = new Set<string>();
  for (const line of readFileSync(file, "latin1").split("\n")) {
    const call = /^\d+ +(\w+)\((.*)/.exec(line);
    const first =
      call?.[2] === undefined ? null : /^(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"/.exec(call[2]);
    const path = first?.[2] ?? "";
    if (path === "" || call?.[1] === "getcwd") continue;
    paths.add(normalize(path.startsWith("/") ? path : join(first?.[1] ?? directory, path)));
  }
  return stable(paths);
}

function tracerView(records: readonly TraceRecord[]): Set<string> {
  const paths = records.flatMap((record) => {
    if (record.type === "exec") return [record.path];
    return record.type === "path" && !record.inherited && record.operation !== "socket" ? [record.path] : [];
  });
  return stable(paths.map((path) => normalize(path)));
}

function stable(paths: Iterable<string>): Set<string> {
  return new Set(
    [...paths].filter((path) => !unstable.test(path)).map((path) => path.replace(/(?<=.)\/$/, "")),
  );
}

function without(some: ReadonlySet<string>, others: ReadonlySet<string>): string[] {
  return [...some].filter((path) => !others.has(path));
}

for (const [name, command] of Object.entries(judged)) {
  test(`strace and every mode see the same files: ${name}`, async (t) => {
    if (!existsSync("/usr/bin/strace")) {
      t.skip("strace is not installed");
      return;
    }
    using place = scratch();
    mkdirSync(join(place.path, "x"));
    writeFileSync(join(place.path, "one.c"), '#include <stdio.h>\nint main(void) { return puts("") < 0; }\n');
    spawnSync(command[0] ?? "", command.slice(1), { cwd: place.path }); // makes what the next runs find
    const seen = straceView(command, place.path);
    assert.ok(seen.size > 20);
    for (const way of ways) {
      const own = tracerView((await runTraced(way, command, place.path)).records);
      assert.deepEqual(without(seen, own), [], `${wayName(way)} missed these`);
      assert.deepEqual(without(own, seen), [], `${wayName(way)} saw these alone`);
    }
  });
}

for (const way of ways)
  test(`${wayName(way)}: of what the caller has open, what has that name here is told, but not where the words go`, async () => {
    using place = scratch();
    for (const name of ["input", "data", "replaced", "new"]) writeFileSync(join(place.path, name), name);
    const [input, data, replaced] = ["input", "data", "replaced"].map((name) =>
      openSync(join(place.path, name), name === "input" ? "r" : "a"),
    ) as [number, number, number];
    renameSync(join(place.path, "replaced"), join(place.path, "elsewhere"));
    const more = [data, replaced];
    const { status, output, records } = await runTraced(way, ["cat"], place.path, { input, more });
    for (const fd of [input, data, replaced]) closeSync(fd);
    assert.deepEqual([status, output], [0, "input"]);
    const told = records.flatMap((one) =>
      one.type === "path" && one.inherited ? [`${one.operation} ${one.path.slice(place.path.length)}`] : [],
    );
    assert.deepEqual(told.sort(), ["read /input", "write /data", "write /elsewhere"]);
    const hide = `mount --bind ${place.path}/new ${place.path}/data; exec "$@"`;
    const again = openSync(join(place.path, "data"), "a");
    const words = ["unshare", "-m", "sh", "-c", hide, "sh", ...traceWords(way), "--", "true"];
    const file = openSync(join(place.path, "trace"), "w+");
    const hidden = spawnSync(words[0] ?? "", words.slice(1), {
      stdio: ["ignore", "ignore", "inherit", file, again],
    });
    const seen = decode(readFileSync(join(place.path, "trace")));
    for (const fd of [file, again]) closeSync(fd);
    assert.equal(hidden.status, 0);
    assert.deepEqual(
      seen.filter((one) => one.type === "path" && one.inherited && one.path !== "/dev/null"),
      [],
      "another file has that name here",
    );
  });
