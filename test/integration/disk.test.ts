// Disks and images as machines: the same machine, whatever holds it; refusals that say what to do; nothing left.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { logicalVolumes } from "../../src/formats/lvm.ts";
import {
  type CaptureHost,
  captureHost,
  nothingLeft,
  stopped,
  tells,
  whyNoCapture,
} from "../support/capture.ts";
import { soaking } from "../support/counts.ts";
import { debian11 } from "../support/roots.ts";

const skip =
  whyNoCapture() ||
  (existsSync("/usr/bin/qemu-img") && existsSync("/usr/bin/xz") ? false : "needs qemu-utils and xz-utils");
const mebibyte = 1 << 20;

/** Puts the image behind a partition table of one Linux partition at 1 MiB. */
function partitioned(image: string, disk: string): void {
  const size = statSync(image).size;
  writeFileSync(disk, "");
  execFileSync("dd", [`if=${image}`, `of=${disk}`, "bs=1M", "seek=1", "conv=sparse,notrunc", "status=none"]);
  truncateSync(disk, size + 2 * mebibyte);
  const entry = Buffer.alloc(66);
  entry[4] = 0x83;
  entry.writeUInt32LE(2048, 8);
  entry.writeUInt32LE(size / 512, 12);
  entry[64] = 0x55;
  entry[65] = 0xaa;
  const fd = openSync(disk, "r+");
  writeSync(fd, entry, 0, 66, 446);
  closeSync(fd);
}

function ext4(root: string, image: string, megabytes: number): void {
  writeFileSync(image, "");
  truncateSync(image, megabytes * mebibyte);
  execFileSync("mkfs.ext4", ["-q", "-d", root, image]);
}

/** What a machine is, without how it is reached. */
async function seen(host: CaptureHost, address: string, installed?: string): Promise<unknown> {
  const words =
    installed === undefined
      ? ["discover", address, "--format", "json"]
      : ["capture", "installed", "-m", address, "-t", "x", "--plan-only", "--format", "json", installed];
  const { status, stdout, stderr } = await host.tool(words);
  assert.equal(status, 0, stderr);
  const { machine: _, source: __, notes, ...rest } = JSON.parse(stdout);
  const own = /device nodes that reach hardware|read is partition/;
  return { ...rest, notes: notes?.filter((note: { text: string }) => !own.test(note.text)) };
}

async function start(t: TestContext): Promise<CaptureHost> {
  const host = await captureHost(t);
  // A machine as all know it has /etc and /usr.
  for (const name of ["etc", "usr", "tmp"]) mkdirSync(join(host.source, name), { recursive: true });
  host.rebase();
  return host;
}

test("a root in an archive or on a disk gives what the root itself gives", {
  skip: skip || (existsSync(debian11) ? false : "needs the Debian 11 root"),
}, async (t) => {
  const host = await start(t);
  const place = (name: string) => join(host.base, name);
  const expected = await seen(host, `rootfs:${debian11}`);
  const plan = await seen(host, `rootfs:${debian11}`, "perl-base");
  execFileSync("tar", [
    "-C",
    debian11,
    "--xattrs",
    "--xattrs-include=*",
    "--exclude=./dev/*",
    "-I",
    "zstd -1",
    "-cf",
    place("old.tar.zst"),
    ".",
  ]);
  ext4(debian11, place("part.img"), 700);
  partitioned(place("part.img"), place("old.img"));
  execFileSync("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", place("old.img"), place("old.qcow2")]);
  for (const name of soaking
    ? ["old.tar.zst", "part.img", "old.img", "old.qcow2"]
    : ["old.tar.zst", "old.qcow2"]) {
    assert.deepEqual(await seen(host, `disk:${place(name)}`), expected, name);
    assert.deepEqual(await seen(host, `disk:${place(name)}`, "perl-base"), plan, name);
    await nothingLeft(host);
  }
});

test("archives of every packing, disks with and without a table, and an image: captured and run", {
  skip,
}, async (t) => {
  const host = await start(t);
  const place = (name: string) => join(host.base, name);
  execFileSync("tar", ["-C", host.source, "-cf", place("a.tar"), "."]);
  for (const [program, suffix] of [
    ["gzip", "gz"],
    ["zstd", "zst"],
    ["xz", "xz"],
  ] as const)
    writeFileSync(
      place(`a.tar.${suffix}`),
      execFileSync(program, ["-1", "-c", place("a.tar")], { maxBuffer: 1 << 28 }),
    );
  ext4(host.source, place("plain.img"), 48);
  partitioned(place("plain.img"), place("parted.img"));
  const command = ["/bin/sh", "-c", "echo works"];
  let reference = 0;
  for (const name of ["a.tar", "a.tar.gz", "a.tar.zst", "a.tar.xz", "plain.img", "parted.img"]) {
    const tag = `made-${reference++}`;
    const { status, stderr } = await host.tool([
      "capture",
      "run",
      "-m",
      `disk:${place(name)}`,
      "-t",
      tag,
      "--",
      ...command,
    ]);
    assert.equal(status, 0, `${name}: ${stderr}`);
    await nothingLeft(host);
  }
  // The package is a machine, too.
  const again = await host.tool(["capture", "run", "-m", "oci:made-0", "-t", "again", "--", ...command]);
  assert.equal(again.status, 0, again.stderr);
  const found = await host.tool(["discover", "oci:made-0", "--format", "json"]);
  assert.equal(JSON.parse(found.stdout).machine.kind, "oci", found.stderr);
  tells(await host.tool(["discover", "oci:nothing"]), { code: "E_IMAGE_NOT_FOUND", says: /nothing/ });
  await nothingLeft(host);
});

/** A disk of `megabytes` with a GUID partition table: an EFI partition without a system, and behind it the one that counts. */
function guidDisk(disk: string, megabytes: number, type: string): { offset: number; size: number } {
  writeFileSync(disk, "");
  truncateSync(disk, megabytes * mebibyte);
  execFileSync("sgdisk", ["-n1:2048:+8M", "-t1:ef00", "-n2:0:0", `-t2:${type}`, disk], { stdio: "ignore" });
  const told = execFileSync("sgdisk", ["-i2", disk], { encoding: "utf8" });
  const sectorOf = (name: string): number =>
    Number(new RegExp(`${name} sector: (\\d+)`).exec(told)?.[1]) * 512;
  return { offset: sectorOf("First"), size: sectorOf("Last") + 512 - sectorOf("First") };
}

/** Runs the script with a loop device of that stretch of the file as $1, in mounts of its own. */
function onLoop(
  disk: string,
  at: { offset: number; size: number },
  script: string,
  ...args: string[]
): string {
  const attach = ["--show", "-f", "--offset", String(at.offset), "--sizelimit", String(at.size), disk];
  const device = execFileSync("losetup", attach, { encoding: "utf8" }).trim();
  try {
    return execFileSync(
      "unshare",
      ["--mount", "--propagation", "private", "sh", "-euc", script, "sh", device, ...args],
      { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] },
    );
  } finally {
    execFileSync("losetup", ["-d", device]);
  }
}

const fill = 'mkdir -p "$3" && mount "$1" "$3" && cp -a "$2/." "$3/" && umount "$3"';
const needs = (...programs: string[]): string | false => {
  const absent = programs.filter((name) => !existsSync(`/usr/sbin/${name}`));
  return absent.length === 0 ? false : `needs ${absent.join(", ")} (xfsprogs, btrfs-progs, gdisk, lvm2)`;
};

for (const [kind, make] of [
  ["xfs", "mkfs.xfs -q -f"],
  ["btrfs", "mkfs.btrfs -q -f"],
] as const)
  test(`${kind} in a GUID partition table: captured and run`, {
    skip: skip || needs("sgdisk", `mkfs.${kind}`),
  }, async (t) => {
    const host = await start(t);
    const disk = join(host.base, "disk.img");
    const at = guidDisk(disk, 400, "8300");
    onLoop(disk, at, `${make} "$1" && ${fill}`, host.source, join(host.base, "fill"));
    const command = ["--", "/bin/sh", "-c", "cat /etc/hostname"];
    const made = await host.tool(["capture", "run", "-m", `disk:${disk}`, "-t", "x", ...command]);
    assert.equal(made.status, 0, made.stderr);
    const ran = await host.tool(["run", "--rm", "x"]);
    assert.match(ran.stdout, /old-web/, ran.stderr);
    await host.tool(["rmi", "x"]);
    await nothingLeft(host);
  });

/** Volumes as lvcreate and lvextend write them, which need a device mapper even for volumes that stay inactive. */
const volumeText = (() => {
  const segment = (number: number, start: number, count: number, at: number): string =>
    `segment${number} {\nstart_extent = ${start}\nextent_count = ${count}\ntype = "striped"\nstripe_count = 1\nstripes = [\n"pv0", ${at}\n]\n}\n`;
  const volume = (name: string, letter: string, segments: string[]): string =>
    `${name} {\nid = "${letter.repeat(6)}-aaaa-bbbb-cccc-dddd-eeee-${letter.repeat(6)}"\nstatus = ["READ", "WRITE", "VISIBLE"]\nflags = []\nsegment_count = ${segments.length}\n\n${segments.join("\n")}}\n`;
  return `logical_volumes {\n${volume("root", "a", [segment(1, 0, 16, 0), segment(2, 16, 2, 22)])}${volume("swap", "b", [segment(1, 0, 4, 16)])}${volume("between", "c", [segment(1, 0, 2, 20)])}}\n`;
})();

const lvmScript = `set -eu
exec 3>&- 4>&-
D=$1
config="devices { use_devicesfile=0 filter=[\\"a|^$D\\$|\\",\\"r|.*|\\"] } activation { udev_sync=0 udev_rules=0 }"
export LVM_SUPPRESS_FD_WARNINGS=1
pvcreate -q -ff -y --config "$config" "$D"
vgcreate -q --config "$config" old "$D"
vgcfgbackup -q --config "$config" -f "$2.vg" old
awk -v volumes="$2" '/^}/ && !done { while ((getline line < volumes) > 0) print line; done = 1 } { print }' "$2.vg" >"$2.new"
vgcfgrestore -q --config "$config" -f "$2.new" old
lvs --config "$config" old
`;

test("a root in a logical volume, also in several pieces; what one disk alone does not hold is named", {
  skip: skip || needs("sgdisk", "vgcreate", "mkfs.ext4"),
}, async (t) => {
  const host = await start(t);
  const disk = join(host.base, "disk.img");
  const at = guidDisk(disk, 200, "8e00");
  // Nothing is activated: no device mapper is needed, and none of the host's own volumes is looked at.
  const script = join(host.base, "lvm.sh");
  const metadata = join(host.base, "volumes");
  writeFileSync(metadata, volumeText);
  writeFileSync(script, lvmScript);
  const listed = onLoop(disk, at, 'exec sh "$2" "$1" "$3" 2>&1', script, metadata);
  assert.match(listed, /root +old .* 72\.00m/, listed); // the tools themselves read what is on the disk
  const bytes = readFileSync(disk).subarray(at.offset, at.offset + at.size);
  const volumes = logicalVolumes((offset, length) => bytes.subarray(offset, offset + length), at.size);
  assert.deepEqual(volumes.map(({ name, pieces, refusal }) => [name, pieces.length, refusal]).sort(), [
    ["old/between", 1, undefined],
    ["old/root", 2, undefined],
    ["old/swap", 1, undefined],
  ]);
  const image = join(host.base, "root.img");
  ext4(host.source, image, 72);
  const whole = readFileSync(image);
  const fd = openSync(disk, "r+");
  let done = 0;
  for (const { offset, size } of volumes.find((one) => one.name === "old/root")?.pieces ?? []) {
    writeSync(fd, whole, done, size, at.offset + offset);
    done += size;
  }
  closeSync(fd);
  assert.equal(done, whole.length);
  const command = ["--", "/bin/sh", "-c", "cat /etc/hostname"];
  const captured = await host.tool(["capture", "run", "-m", `disk:${disk}`, "-t", "x", ...command]);
  assert.equal(captured.status, 0, captured.stderr);
  assert.match((await host.tool(["run", "--rm", "x"])).stdout, /old-web/);
  await host.tool(["rmi", "x"]);
  await nothingLeft(host);
});

test("oci: takes a layout directory as other tools write it", {
  skip: skip || (existsSync("/usr/bin/skopeo") ? false : "needs skopeo"),
}, async (t) => {
  const host = await start(t);
  const command = ["--", "/bin/sh", "-c", "cat /etc/hostname"];
  assert.equal((await host.tool(["capture", "run", "-m", host.machine, "-t", "x", ...command])).status, 0);
  const layout = join(host.base, "layout");
  const out = await host.tool([
    "package",
    "export",
    "--type",
    "oci-archive",
    "x",
    "-o",
    join(host.base, "x.tar"),
  ]);
  assert.equal(out.status, 0, out.stderr);
  execFileSync("skopeo", [
    "--insecure-policy",
    "copy",
    "-q",
    `oci-archive:${join(host.base, "x.tar")}`,
    `oci:${layout}:made`,
  ]);
  for (const address of [`oci:${layout}`, `oci:${layout}:made`]) {
    const again = await host.tool(["capture", "run", "-m", address, "-t", "y", ...command]);
    assert.equal(again.status, 0, again.stderr);
    await nothingLeft(host);
  }
  tells(await host.tool(["discover", `oci:${layout}:other`]), {
    code: "E_IMAGE_NOT_FOUND",
    says: /names no image/,
    hint: /made/,
  });
  tells(await host.tool(["discover", `oci:${host.base}`]), {
    code: "E_MACHINE_UNREACHABLE",
    says: /no OCI image layout/,
    hint: /oci:DIR:NAME/,
  });
  await nothingLeft(host);
});

test("what cannot be read is refused with what to do", { skip }, async (t) => {
  const host = await start(t);
  const place = (name: string) => join(host.base, name);
  const refused = async (name: string, says: RegExp, hint: RegExp) =>
    tells(await host.tool(["discover", `disk:${place(name)}`]), {
      code: "E_MACHINE_UNREACHABLE",
      says,
      hint,
    });
  await refused("absent", /ENOENT/, /raw, qcow2/);
  writeFileSync(place("noise"), Buffer.alloc(mebibyte, 7));
  await refused("noise", /no partition that holds/, /ext2 to ext4/);
  writeFileSync(
    place("luks"),
    Buffer.concat([Buffer.from("LUKS\xba\xbe\0\x01", "latin1"), Buffer.alloc(mebibyte)]),
  );
  await refused("luks", /luks/, /cryptsetup/);
  const lvm = Buffer.alloc(mebibyte);
  lvm.write("LABELONE", 512);
  writeFileSync(place("lvm"), lvm);
  await refused("lvm", /lvm/, /volumes that are more than pieces/);
  execFileSync("qemu-img", [
    "create",
    "-q",
    "-f",
    "qcow2",
    "-b",
    "/etc/passwd",
    "-F",
    "raw",
    place("backed.qcow2"),
    "1M",
  ]);
  await refused("backed.qcow2", /backing file/, /qemu-img convert/);
  execFileSync("tar", [
    "-C",
    host.source,
    "-cf",
    place("bad.tar"),
    "--transform",
    "s,^./etc,../../etc,",
    "./etc",
  ]);
  await refused("bad.tar", /archive of a root|holds no operating system/, /./);
  ext4(join(host.source, "etc"), place("data.img"), 16);
  await refused("data.img", /no partition that holds an operating system/, /./);
  const whole = readFileSync(place("data.img"));
  writeFileSync(place("cut.img"), whole.subarray(0, 2 * mebibyte));
  await refused("cut.img", /./, /./);
  tells(await host.tool(["discover", `disk:${place("data.img")}`, "--partition", "3"]), {
    code: "E_MACHINE_UNREACHABLE",
    says: /no partition 3/,
  });
  await nothingLeft(host);
});

test("kill -9 while a disk is mounted leaves no mount, no loop device and, after the next command, no file", {
  skip,
}, async (t) => {
  const host = await start(t);
  ext4(host.source, join(host.base, "plain.img"), 48);
  const words = [
    "capture",
    "run",
    "-m",
    `disk:${join(host.base, "plain.img")}`,
    "-t",
    "x",
    "--",
    "/bin/sh",
    "-c",
    "echo works",
  ];
  const running = await host.start(words, { TRANSHIP_STOP_AT: "make the staged copy" });
  await stopped(running);
  process.kill(running.pid, "SIGKILL");
  running.resume();
  await running.exit;
  assert.equal((await host.tool(["images"])).status, 0);
  await nothingLeft(host);
  assert.doesNotMatch(execFileSync("losetup", ["-a"], { encoding: "utf8" }), new RegExp(host.base));
});

test("an archive and an image keep the device nodes of jails, and name those that reach hardware", {
  skip: skip || (existsSync("/usr/bin/umoci") ? false : "needs umoci"),
}, async (t) => {
  const host = await start(t);
  for (const [path, ...numbers] of [
    ["dev/ptmx", "c", "5", "2"],
    ["srv/jail/null", "c", "1", "3"],
    ["opt/disk", "b", "8", "0"],
  ] as const) {
    mkdirSync(join(host.source, path, ".."), { recursive: true });
    execFileSync("mknod", [join(host.source, path), ...numbers]);
  }
  const archive = join(host.base, "root.tar");
  execFileSync("tar", ["-C", host.source, "-cf", archive, "."]);
  const layout = join(host.base, "layout");
  execFileSync("umoci", ["init", "--layout", layout]);
  execFileSync("umoci", ["new", "--image", `${layout}:old`]);
  execFileSync("umoci", ["raw", "add-layer", "--image", `${layout}:old`, archive]);
  for (const address of [`disk:${archive}`, `oci:${layout}:old`]) {
    const { notes } = JSON.parse((await host.tool(["discover", address, "--format", "json"])).stdout);
    const [note] = notes.filter((one: { text: string }) => one.text.includes("device nodes"));
    assert.match(note.text, /left out: \/opt\/disk \(b 8:0\)$/, address);
    const script = "test -c /srv/jail/null && test ! -e /opt/disk && echo kept";
    const words = ["capture", "run", "-m", address, "-t", "jail", "--", "/bin/sh", "-c", script];
    const captured = await host.tool(words);
    assert.equal(captured.status, 0, captured.stderr);
    assert.match((await host.tool(["run", "--rm", "jail"])).stdout, /^kept$/m, address);
  }
  await nothingLeft(host);
});
