// Rules that follow from the users of a machine: their homes, and how their passwords are checked.
import assert from "node:assert/strict";
import { test } from "node:test";
import { expand, type Seed } from "../../../src/closure/expand.ts";
import { memoryFiles } from "../../support/memory-files.ts";

const traced = (path: string, detail = "open"): Seed => ({ path, reason: { kind: "traced", detail } });
const passwd = [
  "root:x:0:0:root:/root:/bin/sh",
  "www-data:x:33:33::/var/www:/usr/sbin/nologin",
  "zoe:x:1000:1000::/home/zoe:/bin/sh",
  "max:x:1001:1001::/home/max/:/bin/sh",
  "tool:x:1002:1002::/:/bin/sh",
  "gone:x:1003:1003::/home/gone:/bin/sh",
  "nobody:x:65534:65534::/srv/nobody:/bin/sh",
].join("\n");
const machine = {
  "/etc/passwd": passwd,
  "/home/zoe/.forward": "zoe",
  "/home/max/notes.txt": "x",
  "/srv/nobody/file": "x",
  "/usr/sbin/vsftpd": { content: "x", mode: 0o755 },
  "/usr/sbin/other": { content: "x", mode: 0o755 },
} as const;

test("homes of people come as directories, without what is in them", async () => {
  const { paths } = await expand(memoryFiles(machine), [traced("/usr/sbin/other", "exec")]);
  assert.ok(paths.has("/home/zoe") && paths.has("/home/max"));
  assert.ok(!paths.has("/home/zoe/.forward") && !paths.has("/home/max/notes.txt"));
  assert.ok(!paths.has("/home/gone") && !paths.has("/srv/nobody"), "absent, and no person's");
});

test("a server of users' files brings their homes whole", async () => {
  const { paths } = await expand(memoryFiles(machine), [traced("/usr/sbin/vsftpd", "exec")]);
  assert.deepEqual(paths.get("/home/zoe/.forward"), [{ kind: "data", from: "/usr/sbin/vsftpd" }]);
  assert.ok(paths.has("/home/max/notes.txt"));
  assert.ok(!paths.has("/srv/nobody/file"));
});

test("where a used program lets users in by pam_unix the hashes are named, else not", async () => {
  const common = { "/etc/pam.d/common-auth": "auth [success=1] pam_unix.so nullok\n" };
  const shadow = { ...machine, ...common, "/etc/shadow": "zoe:$6$x:1::::::" };
  const asks = memoryFiles({ ...shadow, "/etc/pam.d/vsftpd": "@include common-auth\n" });
  const named = (await expand(asks, [traced("/usr/sbin/vsftpd", "exec")])).paths.get("/etc/shadow");
  assert.deepEqual(named, [{ kind: "configuration", from: "/etc/pam.d/vsftpd" }]);
  assert.ok(!(await expand(asks, [traced("/usr/sbin/other", "exec")])).paths.has("/etc/shadow"));
  const denies = memoryFiles({
    ...shadow,
    "/etc/pam.d/vsftpd": "# @include common-auth\nauth required pam_deny.so\n",
  });
  assert.ok(!(await expand(denies, [traced("/usr/sbin/vsftpd", "exec")])).paths.has("/etc/shadow"));
});
