import assert from "node:assert/strict";
import { test } from "node:test";
import { secretOption } from "../../../src/cli/instances/secret-option.ts";

test("--secret: a file, and whose it is to be", () => {
  assert.deepEqual(secretOption("/etc/key=/srv/key"), { target: "/etc/key", source: "/srv/key" });
  assert.deepEqual(secretOption("/etc/key=/srv/a,b=c"), { target: "/etc/key", source: "/srv/a,b=c" });
  assert.deepEqual(secretOption("TOKEN=/srv/token"), { target: "TOKEN", source: "/srv/token" });
  assert.deepEqual(secretOption("/etc/key=/srv/key,uid=33,gid=4294967294,mode=0440"), {
    target: "/etc/key",
    source: "/srv/key",
    uid: 33,
    gid: 4294967294,
    mode: 0o440,
  });
  for (const wrong of ["", "/etc/key", "/etc/key=", "=/srv/key", "/etc/key=,uid=1"])
    assert.throws(() => secretOption(wrong), /not a secret/, wrong);
  for (const wrong of ["uid=", "uid=web", "uid=4294967295", "gid=-1", "mode=8", "mode=1777", "uid=1,uid=1"])
    assert.throws(() => secretOption(`/etc/key=/srv/key,${wrong}`), /not to be understood/, wrong);
  assert.throws(() => secretOption("TOKEN=/srv/token,uid=1"), /a variable has no owner/);
});
