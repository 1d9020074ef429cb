import assert from "node:assert/strict";
import { test } from "node:test";
import { type FileEnds, kernelPartByContent, kernelPartByPath } from "../../../src/formats/kernel-part.ts";

test("parts of a kernel are told by their path", () => {
  const parts = [
    "/boot/vmlinuz-5.10.0-1-amd64",
    "/boot/grub/grub.cfg",
    "/vmlinuz",
    "/vmlinuz.old",
    "/initrd.img",
    "/boot/initrd.img-5.10",
    "/lib/modules/5.10/modules.dep",
    "/usr/lib/modules/5.10/kernel/fs/ext4.ko.xz",
    "/opt/driver/vendor.ko",
    "/usr/lib/firmware/x.bin",
    "/usr/share/System.map-4.19",
  ];
  for (const path of parts) assert.ok(kernelPartByPath(path, "file"), path);
});

test("programs and folders that are called alike are none", () => {
  const others = [
    "/usr/bin/vmlinuz-to-elf",
    "/usr/share/doc/initrd.txt",
    "/opt/app/initrd",
    "/lib/module",
    "/bootstrap/x",
    "/usr/lib/modules.d",
    "/home/a.kota",
  ];
  for (const path of others) assert.equal(kernelPartByPath(path, "file"), undefined, path);
  assert.equal(kernelPartByPath("/boot", "directory"), undefined);
  assert.equal(kernelPartByPath("/lib/modules/5.10", "directory"), undefined);
});

function ends(bytes: Uint8Array): FileEnds {
  return { size: bytes.length, head: bytes.subarray(0, 65536), tail: bytes.subarray(-(1 << 20)) };
}

/** An ELF file whose only use is its section names. */
function elf(names: readonly string[], wide: boolean, little: boolean): Uint8Array {
  const strings = `\0${names.join("\0")}\0`;
  const bytes = Buffer.alloc(70_000 + 64 * (names.length + 1));
  const put = (at: number, value: number, size: number): void => {
    if (little) bytes.writeUIntLE(value, at, Math.min(size, 6));
    else bytes.writeUIntBE(value, at + Math.max(0, size - 6), Math.min(size, 6));
  };
  bytes.write("\x7fELF", 0, "latin1");
  bytes[4] = wide ? 2 : 1;
  bytes[5] = little ? 1 : 2;
  const width = wide ? 64 : 40;
  put(wide ? 0x28 : 0x20, 70_000, wide ? 8 : 4);
  for (const [i, value] of [width, names.length + 1, names.length].entries())
    put((wide ? 0x3a : 0x2e) + 2 * i, value, 2);
  bytes.write(strings, 66_000, "latin1");
  for (const [i, name] of names.entries()) put(70_000 + i * width, strings.indexOf(`\0${name}\0`) + 1, 4);
  const own = 70_000 + names.length * width;
  put(own + (wide ? 0x18 : 0x10), 66_000, wide ? 8 : 4);
  put(own + (wide ? 0x20 : 0x14), strings.length, wide ? 8 : 4);
  return bytes;
}

test("modules and kernels are told by their sections, in all four kinds of ELF", () => {
  for (const wide of [true, false]) {
    for (const little of [true, false]) {
      assert.match(
        kernelPartByContent(ends(elf([".text", ".modinfo"], wide, little))) ?? "",
        /kernel module/,
      );
      assert.match(kernelPartByContent(ends(elf([".text", "__ksymtab"], wide, little))) ?? "", /kernel/);
      assert.equal(kernelPartByContent(ends(elf([".text", ".data", ".dynsym"], wide, little))), undefined);
    }
  }
});

test("kernel images are told by their headers", () => {
  const image = Buffer.alloc(4096);
  image.write("\x55\xaaXXHdrS", 0x1fe, "latin1");
  assert.match(kernelPartByContent(ends(image)) ?? "", /boot protocol/);
  const arm = Buffer.alloc(4096);
  arm.write("ARM\x64", 0x38, "latin1");
  assert.match(kernelPartByContent(ends(arm)) ?? "", /arm64/);
  const sector = Buffer.alloc(4096);
  sector.write("\x55\xaa", 0x1fe, "latin1");
  assert.equal(kernelPartByContent(ends(sector)), undefined);
});

/** newc, without content. */
function cpio(...names: string[]): Buffer {
  const hex = (value: number): string => value.toString(16).padStart(8, "0");
  const members = names.map((name) => {
    const fields = [1, 0o100644, 0, 0, 1, 0, 0, 0, 0, 0, 0, name.length + 1, 0].map(hex).join("");
    const head = `070701${fields}${name}\0`;
    return head.padEnd(Math.ceil(head.length / 4) * 4, "\0");
  });
  return Buffer.from(members.join(""), "latin1");
}

test("an initramfs is told from any other cpio archive", () => {
  for (const names of [
    [".", "kernel"],
    ["bin", "conf/initramfs.conf"],
    ["kernel/x86/microcode/AuthenticAMD.bin"],
    [".", "bin", "init"],
  ]) {
    assert.match(kernelPartByContent(ends(cpio(...names))) ?? "", /initial RAM disk/, names.join());
  }
  assert.equal(kernelPartByContent(ends(cpio("usr/bin/app", "etc/init.d/app"))), undefined);
});

test("files cut anywhere and garbage give an answer", () => {
  const whole = Buffer.concat([elf([".modinfo"], true, true)]);
  for (let length = 0; length < 200; length++) kernelPartByContent(ends(whole.subarray(0, length)));
  const wild = Buffer.alloc(4096, 0xff);
  wild.write("\x7fELF\x02\x01", 0, "latin1");
  assert.equal(kernelPartByContent(ends(wild)), undefined);
  assert.equal(kernelPartByContent(ends(Buffer.from(`070701${"f".repeat(200)}`))), undefined);
});
