import assert from "node:assert/strict";
import { test } from "node:test";
import { newEvidence, noteUse } from "../../../src/capture/evidence/evidence.ts";
import { mergeEvidence } from "../../../src/capture/evidence/merge-evidence.ts";
import { commandOf, pathsInCommand, pathsInEnvironment } from "../../../src/capture/process/command-words.ts";
import { secretBecause, sortEnvironment } from "../../../src/capture/process/process-environment.ts";
import { inMemory, isLog } from "../../../src/capture/process/snapshot-evidence.ts";
import type { ProcessSnapshot } from "../../../src/discover/process-snapshot.ts";
import { memoryMachine } from "../../support/memory-machine.ts";

test("paths of a command line: whole words, values of options, names beside the working directory", () => {
  const words = ["-c", "/etc/a.conf", "--data=/var/lib/x", "-I/usr/inc", "app.py", "../b/c.txt", "-x", "A=1"];
  assert.deepEqual(pathsInCommand(words, "/srv/app").sort(), [
    "/etc/a.conf",
    "/srv/app/app.py",
    "/srv/b/c.txt",
    "/usr/inc",
    "/var/lib/x",
  ]);
  assert.deepEqual(pathsInCommand(["/", "x"], "/"), ["/x"]);
});

test("paths of variables: those of the application, not of the session it was started in", () => {
  const found = pathsInEnvironment({
    PATH: "/bin",
    HOME: "/root",
    CATALINA_BASE: "/opt/t",
    LIBS: "/a/b:/c d",
    LIST: "/e/1,/e/*.conf",
  });
  assert.deepEqual(found.sort(), ["/a/b", "/c", "/e/*.conf", "/e/1", "/opt/t"]);
});

const running = (more: Partial<ProcessSnapshot>): ProcessSnapshot =>
  ({ arguments: [], retitled: false, environment: {}, ...more }) as ProcessSnapshot;

test("the command: as it was given, by the name that leads to the program, or out of nginx's title", async () => {
  const { files } = memoryMachine({ "/bin/busybox": "x", "/bin/httpd": "-> busybox" });
  const told = async (more: Partial<ProcessSnapshot>, program: string) =>
    (await commandOf(running(more), program, files))?.argv;
  assert.deepEqual(await told({ arguments: ["./app", "-v"] }, "/srv/app"), ["/srv/app", "-v"]);
  const multi = { arguments: ["httpd", "-f"], environment: { PATH: "/usr/bin:/bin" } };
  assert.deepEqual(await told(multi, "/bin/busybox"), ["/bin/httpd", "-f"]);
  const title = "nginx: master process nginx -g daemon off; -c /etc/n.conf";
  assert.deepEqual(await told({ retitled: true, arguments: [title] }, "/usr/sbin/nginx"), [
    "/usr/sbin/nginx",
    "-g",
    "daemon off;",
    "-c",
    "/etc/n.conf",
  ]);
  assert.equal(
    await told({ retitled: true, arguments: ["redis-server *:6379"] }, "/usr/bin/redis-server"),
    undefined,
  );
});

test("variables: secrets by name or by value, the session's own left out", () => {
  const sorted = sortEnvironment(
    {
      DB_PASSWORD: "x",
      KEY_FILE: "/etc/key",
      API_TOKEN: "t",
      DSN: "mysql://shop:pw@db/",
      LANG: "C",
      TERM: "xterm",
      MODE: "a",
    },
    new Set(["API_TOKEN"]),
  );
  assert.deepEqual(sorted.kept, { API_TOKEN: "t", KEY_FILE: "/etc/key", LANG: "C", MODE: "a" });
  assert.deepEqual(
    sorted.secrets.map((one) => one.name),
    ["DB_PASSWORD", "DSN"],
  );
  assert.equal(secretBecause("USE_TOKEN", "yes"), undefined);
  assert.equal(secretBecause("SECRET_DIR", "/srv/secrets"), undefined);
});

test("logs are written and not read; memory has names that are no files", () => {
  const append = { reads: false, writes: true, append: true };
  assert.ok(isLog("/srv/x/access.log", append) && isLog("/var/log/x", { ...append, append: false }));
  assert.ok(
    !isLog("/var/lib/redis/appendonly.aof", append) && !isLog("/var/log/x", { ...append, reads: true }),
  );
  assert.ok(!isLog("/srv/catalogue.txt", append) && !isLog("/srv/000003.log", { ...append, append: false }));
  assert.ok(inMemory("/memfd:x") && inMemory("/dev/null") && !inMemory("/srv/memfd:x"));
});

test("merged evidence is the union; what either found on the source was not made by the run", () => {
  const [a, b] = [newEvidence(), newEvidence()];
  noteUse(a, "/x", "mapped", "/p").found = true;
  const made = noteUse(b, "/x", "create", "/q");
  made.found = true;
  made.madeByRun = true;
  noteUse(b, "/y", "read", "/q").found = true;
  mergeEvidence(a, b);
  assert.deepEqual(
    [...(a.paths.get("/x")?.uses ?? [])],
    [
      ["mapped", ["/p"]],
      ["create", ["/q"]],
    ],
  );
  assert.deepEqual([a.paths.get("/x")?.madeByRun, a.paths.get("/y")?.found], [false, true]);
});
