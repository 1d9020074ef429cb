import assert from "node:assert/strict";
import { test } from "node:test";
import { parseLdSoCache } from "../../../src/formats/ld-so-cache.ts";
import { parseLdSoConf, parseLdSoPreload } from "../../../src/formats/ld-so-conf.ts";
import { nsswitchServices, parseNsswitch } from "../../../src/formats/nsswitch.ts";
import { parseGroup, parsePasswd } from "../../../src/formats/passwd.ts";
import { parseShebang } from "../../../src/formats/shebang.ts";
import { findPathStrings } from "../../../src/formats/strings.ts";

interface CacheLine {
  name: string;
  path: string;
  hwcap?: bigint;
}

function newCache(lines: CacheLine[], little = true): Uint8Array {
  const head = Buffer.alloc(48 + lines.length * 24);
  head.write("glibc-ld.so.cache1.1", "latin1");
  const u32 = (value: number, at: number): unknown =>
    little ? head.writeUInt32LE(value, at) : head.writeUInt32BE(value, at);
  u32(lines.length, 20);
  head[28] = little ? 2 : 3;
  let strings = "";
  const put = (text: string): number => {
    strings += `${text}\0`;
    return head.length + strings.length - text.length - 1;
  };
  lines.forEach(({ name, path, hwcap }, index) => {
    const at = 48 + index * 24;
    u32(0x303, at);
    u32(put(name), at + 4);
    u32(put(path), at + 8);
    if (little) head.writeBigUInt64LE(hwcap ?? 0n, at + 16);
    else head.writeBigUInt64BE(hwcap ?? 0n, at + 16);
  });
  return Buffer.concat([head, Buffer.from(strings, "latin1")]);
}

function oldCache(lines: CacheLine[]): Buffer {
  const head = Buffer.alloc(16 + lines.length * 12);
  head.write("ld.so-1.7.0", "latin1");
  head.writeUInt32LE(lines.length, 12);
  let strings = "";
  const put = (text: string): number => {
    strings += `${text}\0`;
    return strings.length - text.length - 1;
  };
  lines.forEach(({ name, path }, index) => {
    head.writeUInt32LE(3, 16 + index * 12);
    head.writeUInt32LE(put(name), 20 + index * 12);
    head.writeUInt32LE(put(path), 24 + index * 12);
  });
  return Buffer.concat([head, Buffer.from(strings, "latin1")]);
}

const lines = [
  { name: "libz.so.1", path: "/lib/x86_64-linux-gnu/libz.so.1" },
  { name: "libfast.so.2", path: "/usr/lib/haswell/libfast.so.2", hwcap: 1n << 62n },
];

test("ld.so.cache: new layout in both byte orders", () => {
  for (const little of [true, false]) {
    const { entries, problems } = parseLdSoCache(newCache(lines, little));
    assert.deepEqual(problems, []);
    assert.deepEqual(
      entries.map(({ name, path }) => ({ name, path })),
      lines.map(({ name, path }) => ({ name, path })),
    );
    assert.deepEqual(
      entries.map((entry) => entry.hwcap),
      [0n, 1n << 62n],
    );
  }
});

test("ld.so.cache: old layout, alone and followed by the new one", () => {
  const old = oldCache([lines[0] ?? { name: "", path: "" }]);
  assert.deepEqual(parseLdSoCache(old).entries[0]?.path, "/lib/x86_64-linux-gnu/libz.so.1");
  const head = old.subarray(0, 28);
  const gap = Buffer.alloc((8 - (head.length % 8)) % 8);
  assert.equal(parseLdSoCache(Buffer.concat([head, gap, newCache(lines)])).entries.length, 2);
});

test("ld.so.cache: damage is reported, the rest read", () => {
  assert.deepEqual(parseLdSoCache(Buffer.from("hello")), { entries: [], problems: ["unknown magic"] });
  assert.equal(parseLdSoCache(Buffer.from("ld.so-1.7.0\0")).entries.length, 0);
  const cut = parseLdSoCache(newCache(lines).subarray(0, 80));
  assert.ok(cut.problems.length > 0);
  assert.equal(cut.entries.length, 0);
});

test("ld.so.conf: directories, includes, comments, types", () => {
  const conf = parseLdSoConf(
    "# x\n/usr/local/lib # y\ninclude ld.so.conf.d/*.conf /etc/more\n/a:/b, /c=libc5\nhwcap 1 x\nrelative\n",
  );
  assert.deepEqual(conf, {
    directories: ["/usr/local/lib", "/a", "/b", "/c"],
    includes: ["ld.so.conf.d/*.conf", "/etc/more"],
  });
  assert.deepEqual(parseLdSoPreload("/a.so:/b.so # no\n libc.so\n"), ["/a.so", "/b.so", "libc.so"]);
});

test("#! lines: argument, env, env -S, what is none", () => {
  const parse = (text: string) => parseShebang(Buffer.from(text));
  assert.deepEqual(parse("#! /usr/bin/perl -w -T\r\nx"), {
    interpreter: "/usr/bin/perl",
    argument: "-w -T",
    envProgram: undefined,
  });
  assert.equal(parse("#!/usr/bin/env python3\n")?.envProgram, "python3");
  assert.equal(parse("#!/usr/bin/env -S A=1 node --flag\n")?.envProgram, "node");
  assert.equal(parse("#!/usr/bin/env -i\n")?.envProgram, undefined);
  assert.equal(parse("#!/bin/sh")?.interpreter, "/bin/sh");
  assert.equal(parse("#!\n"), undefined);
  assert.equal(parse("echo"), undefined);
});

test("nsswitch.conf: services in order without actions and comments", () => {
  const text = "# passwd: no\nhosts: files [!UNAVAIL=return] dns # mdns\npasswd:files systemd\n";
  assert.deepEqual(parseNsswitch(text).get("hosts"), ["files", "dns"]);
  assert.deepEqual(nsswitchServices(text), ["dns", "files", "systemd"]);
});

test("passwd and group: entries, line numbers of what is none, NIS lines", () => {
  const passwd = parsePasswd("root:x:0:0:root:/root:/bin/bash\n+::::::\nbroken line\nx:x:nan:0:::\n");
  assert.deepEqual(passwd.entries, [
    { name: "root", uid: 0, gid: 0, gecos: "root", home: "/root", shell: "/bin/bash" },
  ]);
  assert.deepEqual(
    passwd.problems.map((problem) => problem.line),
    [3, 4],
  );
  assert.deepEqual(
    parseGroup("adm:x:4:a,b\nnone:x:5:\n").entries.map((group) => group.members),
    [["a", "b"], []],
  );
});

test("strings: sonames and absolute paths of whole C strings", () => {
  const text = "\0libssl.so.1.1\0/usr/lib/mod_x.so\0not a path /x\0plain\0/etc/%s\0.so\0cut.so";
  assert.deepEqual(findPathStrings(Buffer.from(text)), {
    sonames: ["libssl.so.1.1"],
    paths: ["/usr/lib/mod_x.so"],
    truncated: false,
  });
  assert.equal(findPathStrings(Buffer.from("/aa\0/bb\0/cc\0"), 2).truncated, true);
});
