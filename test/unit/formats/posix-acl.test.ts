import assert from "node:assert/strict";
import { test } from "node:test";
import { aclOfText } from "../../../src/formats/posix-acl.ts";

const hex = (text: string): string => Buffer.from(aclOfText(text)?.value ?? "", "latin1").toString("hex");
const plain = "020000000100070" + "0ffffffff" + "04000500ffffffff" + "20000400ffffffff";

test("access lists as star, libarchive and GNU tar write them", () => {
  assert.equal(hex("user::rwx,group::r-x,other::r--"), plain);
  assert.equal(hex("user::rwx\ngroup::r-x\nother::r--\n"), plain);
  assert.equal(hex("other:r--,user::rwx,group::r-x\t#effective:r--"), plain);
  assert.equal(aclOfText("user::rwx,group::r-x,other::r--")?.mode, 0o754);
  const full = "user::rw-,user:lp:rwx:7,user:1000:r--,group::r--,group:adm:-w-:4,mask::r-x,other::---";
  assert.equal(
    hex(full),
    "02000000" +
      "01000600ffffffff" +
      "0200070007000000" +
      "02000400e8030000" +
      "04000400ffffffff" +
      "0800020004000000" +
      "10000500ffffffff" +
      "20000000ffffffff",
  );
  assert.equal(aclOfText(full)?.mode, 0o650, "the group's bits are the mask's");
});

test("what is no list, or names somebody without a number, is none", () => {
  for (const text of [
    "",
    "user::rwx,group::r-x",
    "user::rwx,group::r-x,other::r--,other::r--",
    "user::rwx,user:lp:rwx,group::r-x,mask::rwx,other::r--",
    "user::rwxs,group::r-x,other::r--",
    "user::rwx,group::r-x,other::r--,user:5:r--:99999999999",
    "nonsense",
  ])
    assert.equal(aclOfText(text), undefined, text);
});
