// What a task with less rights than the tracer is told of a file, is what the record says: in every mode, whoever the task has become.
import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { buildTracer, runTraced, scratch, wayName, ways } from "../support/trace.ts";

const asRoot = process.getuid?.() === 0;

/** Tries every file of the set and prints `STEP CALL RESULT`. */
const program = `
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def told(call, path):
    try: call(path); return 0
    except OSError as error: return -error.errno
def opened(path): os.close(os.open(path, os.O_RDONLY))
def listed(path): os.close(os.open(path, os.O_RDONLY | os.O_DIRECTORY))
def noatime(path): os.close(os.open(path, os.O_RDONLY | os.O_NOATIME))
def written(path): os.close(os.open(path, os.O_RDWR))
calls = {"write": written, "unlink": os.unlink, "chmod": lambda path: os.chmod(path, 0o644), "stat": os.stat, "read": opened, "readlink": os.readlink, "list": listed, "noatime": noatime}
def tries(step):
    for line in open("tries").read().split():
        how, path = line.split(":")
        print(step, how, told(calls[how], f"{step}/{path}"), flush=True)
step = sys.argv[1]
if step == "saved":
    os.setegid(65534); os.seteuid(65534)
elif step == "capable":
    libc.prctl(8, 1, 0, 0, 0)
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    data = (ctypes.c_uint32 * 6)(4, 4, 0, 0, 0, 0)
    assert libc.capset(header, data) == 0
elif step == "namespace":
    assert libc.unshare(0x10000000) == 0
elif step != "root":
    os.setgroups([1234] if step == "groups" else [])
    os.setgid(65534); os.setuid(65534)
tries(step)
if step == "saved":
    os.seteuid(0); os.rename("saved", "again"); tries("again")
`;

const places = [
  "stat:closed/file",
  "read:closed/file",
  "stat:closed",
  "list:closed",
  "read:private",
  "read:of-group",
  "read:public",
  "noatime:others",
  "readlink:link",
  "readlink:public",
  "read:link",
  "stat:absent",
  "list:public",
  "write:closed/file",
  "write:private",
  "write:public",
  "write:of-all",
  "write:absent",
  "write:closed",
  "unlink:absent",
  "chmod:absent",
];

function makeFiles(top: string): void {
  mkdirSync(join(top, "closed"), { recursive: true });
  for (const name of ["closed/file", "private", "of-group", "public", "others", "of-all"])
    writeFileSync(join(top, name), "x\n");
  symlinkSync("private", join(top, "link"));
  chmodSync(join(top, "private"), 0o600);
  chmodSync(join(top, "of-group"), 0o640);
  chownSync(join(top, "of-group"), 0, 1234);
  chmodSync(join(top, "of-all"), 0o666);
  chmodSync(join(top, "closed"), 0o700);
  for (const name of [".", "public", "others"]) chmodSync(join(top, name), 0o755);
}

const operationOf: Record<string, readonly string[]> = {
  stat: ["stat"],
  read: ["read", "list"],
  noatime: ["read"],
  readlink: ["readlink"],
  list: ["list"],
  write: ["write"],
  unlink: ["unlink"],
  chmod: ["metadata"],
};

before(buildTracer);

for (const way of ways) {
  for (const step of ["root", "plain-user", "groups", "saved", "capable", "namespace"]) {
    test(`${step}, ${wayName(way)}`, {
      skip: asRoot ? false : "needs root, to be somebody else",
    }, async () => {
      using place = scratch();
      chmodSync(place.path, 0o755);
      writeFileSync(join(place.path, "tries"), places.join("\n"));
      makeFiles(join(place.path, step));
      const run = await runTraced(way, ["/usr/bin/python3", "-c", program, step], place.path);
      assert.equal(run.status, 0, run.output);
      const lines = run.output.trim().split("\n");
      assert.equal(lines.length, places.length * (step === "saved" ? 2 : 1));
      const records = run.records.flatMap((record) => (record.type === "path" ? [record] : []));
      let foretold = 0;
      for (const [index, line] of lines.entries()) {
        const [where = "", how = "", result = ""] = line.split(" ");
        const path = join(place.path, where, places[index % places.length]?.split(":")[1] ?? "");
        const found = records.filter(
          (record) => record.path === path && operationOf[how]?.includes(record.operation),
        );
        const told = Math.min(0, Number(result));
        assert.ok(
          found.some((record) => Math.min(0, record.result) === told),
          `${line} of ${path}: ${JSON.stringify(found)}`,
        );
        if (found.some((record) => record.foretold && record.result === 0)) foretold++;
      }
      // A task that cannot change its groups unseen is looked at for; the kernel of these ways has faccessat2().
      if (way.mode !== "plain" && way.without === undefined && (step === "plain-user" || step === "groups"))
        assert.ok(foretold >= 4, `only ${foretold} were foretold`);
    });
  }
}
