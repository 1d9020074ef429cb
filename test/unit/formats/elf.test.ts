import assert from "node:assert/strict";
import { test } from "node:test";
import { elfMachineName, readElf, readElfBytes, sameAbi } from "../../../src/formats/elf.ts";
import { buildElf } from "../../support/elf-builder.ts";

for (const bits of [64, 32] as const) {
  for (const endian of ["little", "big"] as const) {
    test(`reads the dynamic section of a ${bits} bit ${endian} endian file`, async () => {
      const bytes = buildElf({
        bits,
        endian,
        machine: bits === 64 ? 21 : 20,
        interpreter: "/lib/ld.so.1",
        needed: ["libc.so.6", "libm.so.6"],
        soname: "libx.so.1",
        rpath: "/opt/a:/opt/b",
        runpath: "$ORIGIN/../lib",
        imports: ["dlopen", "iconv_open"],
      });
      const elf = await readElfBytes(bytes);
      assert.equal(elf?.bits, bits);
      assert.equal(elf?.endian, endian);
      assert.equal(elfMachineName(elf?.machine ?? 0), bits === 64 ? "ppc64" : "ppc");
      assert.equal(elf?.type, "shared");
      assert.equal(elf?.interpreter, "/lib/ld.so.1");
      assert.deepEqual(elf?.needed, ["libc.so.6", "libm.so.6"]);
      assert.equal(elf?.soname, "libx.so.1");
      assert.equal(elf?.rpath, "/opt/a:/opt/b");
      assert.equal(elf?.runpath, "$ORIGIN/../lib");
      assert.deepEqual([...(elf?.imports ?? [])], ["dlopen", "iconv_open"]);
      assert.deepEqual(elf?.problems, []);
      assert.equal(elf?.isStatic, false);
    });
  }
}

test("what is no ELF file gives undefined", async () => {
  assert.equal(await readElfBytes(new Uint8Array()), undefined);
  assert.equal(await readElfBytes(Buffer.from("#!/bin/sh\n")), undefined);
});

test("a program without interpreter and libraries is static", async () => {
  const elf = await readElfBytes(buildElf({ type: 2 }));
  assert.equal(elf?.isStatic, true);
  assert.equal(elf?.type, "executable");
});

test("libraries of another class, machine or byte order are not accepted", async () => {
  const read = async (parts: Parameters<typeof buildElf>[0]) => {
    const elf = await readElfBytes(buildElf(parts));
    assert.ok(elf !== undefined);
    return elf;
  };
  const program = await read({});
  assert.equal(sameAbi(program, await read({})), true);
  assert.equal(sameAbi(program, await read({ bits: 32 })), false);
  assert.equal(sameAbi(program, await read({ machine: 183 })), false);
  assert.equal(sameAbi(program, await read({ endian: "big" })), false);
});

test("a cut or lying file names its problems and is still read as far as possible", async () => {
  const whole = buildElf({ needed: ["libc.so.6"] });
  assert.match((await readElfBytes(whole.subarray(0, 60)))?.problems[0] ?? "", /cut after 60 bytes/);
  assert.match((await readElfBytes(whole.subarray(0, 100)))?.problems[0] ?? "", /outside of the file/);
  const badClass = whole.slice();
  badClass[4] = 9;
  assert.match((await readElfBytes(badClass))?.problems[0] ?? "", /class 9/);
  const manySegments = whole.slice();
  manySegments[56] = 0xff;
  manySegments[57] = 0xff;
  assert.match((await readElfBytes(manySegments))?.problems[0] ?? "", /65535 program headers/);
  const cutStrings = await readElfBytes(whole.subarray(0, 2000));
  assert.deepEqual(cutStrings?.needed, []);
  assert.ok((cutStrings?.problems.length ?? 0) > 0);
});

test("never reads more than 32 MiB at once, whatever sizes the file claims", async () => {
  const bytes = buildElf({ needed: ["libc.so.6"] });
  const view = new DataView(bytes.buffer);
  for (let at = 1024; at < 1200; at += 16) {
    if (view.getBigUint64(at, true) === 10n) view.setBigUint64(at + 8, 1n << 40n, true);
  }
  let most = 0;
  const elf = await readElf((offset, length) => {
    most = Math.max(most, length);
    return Promise.resolve(bytes.subarray(offset, offset + length));
  });
  assert.ok(most <= 32 << 20, `${most}`);
  assert.deepEqual(elf?.needed, ["libc.so.6"]);
});
