// Archives made at random, by GNU tar in all of its formats and by us: both sides read them alike, in every attribute.
//
// 200 archives; all 5,000 with TRANSHIP_SOAK=1.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readTarObjects } from "../../src/image/layer-reader.ts";
import { writeLayer } from "../../src/image/layer-writer.ts";
import { makeTree } from "../../src/image/make-tree.ts";
import { recompress } from "../../src/image/recompress.ts";
import { withSession } from "../../src/image/store-session.ts";
import { fingerprint, itemsOf, makeAttributeTree, needsRoot, newStore, scratch } from "../support/images.ts";

const count = process.env.TRANSHIP_SOAK === "1" ? 5000 : 200;

/** Trees of a few odd objects each, below one directory, and an archive of each by GNU tar; one program makes a whole batch. */
const maker = `
import os, sys, random, subprocess, stat
top, start, number = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
def name(r):
    kind = r.random()
    if kind < .5: return bytes(r.choice(b"abcdefgh.-_ ") for _ in range(r.randint(1, 12))).strip(b". ") or b"n"
    if kind < .7: return bytes(r.choice(b"xyz") for _ in range(r.randint(90, 250)))
    if kind < .85: return ("é" * r.randint(1, 40)).encode()
    return bytes(r.choice([x for x in range(1, 256) if x != 47]) for _ in range(r.randint(1, 60)))
for i in range(start, start + number):
    r = random.Random(i); d = os.path.join(os.fsencode(top), b"%d" % i); os.makedirs(d); made = []
    places = [d]
    for _ in range(r.randint(1, 9)):
        p = os.path.join(r.choice(places), name(r))
        if os.path.lexists(p) or os.path.basename(p).startswith(b".wh.") or len(os.path.basename(p)) > 250: continue
        k = r.random()
        if k < .15: os.mkdir(p); places.append(p)
        elif k < .3: os.symlink(name(r) * r.choice([1, 1, 3]), p)
        elif k < .36: os.mkfifo(p)
        elif k < .4: os.mknod(p, stat.S_IFCHR | 0o600, os.makedev(1, r.choice([3, 5, 7])))
        elif k < .5 and made: os.link(r.choice(made), p); continue
        elif k < .6:
            with open(p, "wb") as f:
                f.truncate(r.randint(0, 1 << 22))
                for _ in range(r.randint(0, 5)): f.seek(r.randint(0, 1 << 22)); f.write(b"d" * r.randint(1, 9000))
            made.append(p)
        else:
            with open(p, "wb") as f: f.write(r.randbytes(r.choice([0, 1, 511, 512, 513, r.randint(0, 30000)])))
            made.append(p)
        if not os.path.islink(p): os.chmod(p, r.choice([0o644, 0o755, 0o600, 0o4755, 0o2750, 0o1777, 0]))
        os.chown(p, r.choice([0, 33, 65534, 3000000]), r.choice([0, 44, 2097152]), follow_symlinks=False)
        if r.random() < .3 and os.path.isfile(p) and not os.path.islink(p):
            os.setxattr(p, "user.x%d" % r.randint(0, 9), r.randbytes(r.randint(0, 300)))
        os.utime(p, ns=(1, r.choice([r.randint(0, 2**31) * 10**9, r.randint(0, 4 * 10**18), -r.randint(1, 10**18)])), follow_symlinks=False)
    form = r.choice(["posix", "posix", "gnu", "ustar"]); flags = ["--xattrs", "--xattrs-include=*"] if form == "posix" else []
    if r.random() < .5 and form != "ustar": flags += ["--sparse"] + (["--sparse-version=" + r.choice(["0.0", "0.1", "1.0"])] if form == "posix" else [])
    if subprocess.run(["tar", "-C", d, "--format=" + form, "--sort=name", *flags, "-cf", d + b".tar", "."], stderr=subprocess.DEVNULL).returncode:
        # ustar cannot say everything; what it could say is in the archive.
        open(d + b".partial", "w").close()
`;

test("GNU tar's archives are read as GNU tar reads them", needsRoot, async (t) => {
  const top = scratch(t);
  const [made, ours, theirs] = ["made", "ours", "gnu"].map((name) => join(top, name)) as [
    string,
    string,
    string,
  ];
  const unpack = ["--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf"];
  for (let start = 0; start < count; start += 100) {
    const end = Math.min(start + 100, count);
    for (const directory of [made, ours, theirs]) mkdirSync(directory);
    execFileSync("python3", ["-c", maker, made, String(start), String(end - start)]);
    for (let i = start; i < end; i++) {
      const archive = join(made, `${i}.tar`);
      for (const side of [ours, theirs]) mkdirSync(join(side, String(i)));
      execFileSync("tar", [...unpack, archive, "-C", join(theirs, String(i))], { stdio: "pipe" });
      const chunks = (async function* () {
        yield new Uint8Array(readFileSync(archive));
      })();
      await makeTree(
        join(ours, String(i)),
        readTarObjects(chunks),
        {},
        (reason) => new Error(reason) as never,
      );
    }
    // Those of the directories that the archives were unpacked in are of this moment.
    execFileSync("sh", ["-c", 'touch -d @0 "$0" "$1"', ours, theirs]);
    assert.equal(fingerprint(ours), fingerprint(theirs), `archives ${start} to ${end - 1}`);
    execFileSync("rm", ["-rf", "--one-file-system", made, ours, theirs]);
  }
  t.diagnostic(`${count} archives agree`);
});

test("our archives are read by GNU tar as we read them", needsRoot, async (t) => {
  const top = scratch(t);
  const store = newStore(t);
  const number = Math.max(1, count / 100);
  for (let start = 0; start < count; start += 100) {
    // A hundred trees in one archive: names differ, and all of them are below one root.
    execFileSync("python3", [
      "-c",
      maker,
      join(top, "trees"),
      String(start),
      String(Math.min(100, count - start)),
    ]);
    execFileSync("sh", ["-c", 'rm -f "$0"/trees/*.tar "$0"/trees/*.partial', top]);
    const layer = await withSession(store, (session) =>
      writeLayer(itemsOf(t, join(top, "trees"), "host"), session),
    );
    const tar = join(top, "layer.tar");
    await recompress(store, layer, tar, "none");
    const out = join(top, "out");
    mkdirSync(out);
    execFileSync("tar", ["--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf", tar, "-C", out], {
      stdio: "pipe",
    });
    assert.equal(fingerprint(out), fingerprint(join(top, "trees")), `trees ${start} to ${start + 99}`);
    execFileSync("sh", ["-c", 'rm -rf --one-file-system "$0"/trees "$0"/out "$0"/layer.tar', top]);
  }
  t.diagnostic(`${number} archives of 100 trees`);
});

const bsdtar = spawnSync("sh", ["-c", "command -v bsdtar"]).status === 0;

test("libarchive unpacks our layers with every attribute that it knows", {
  skip: needsRoot.skip === false && !bsdtar ? "not installed: bsdtar (libarchive-tools)" : needsRoot.skip,
}, async (t) => {
  const top = scratch(t);
  const tree = join(top, "tree");
  makeAttributeTree(tree);
  const store = newStore(t);
  const layer = await withSession(store, (session) => writeLayer(itemsOf(t, tree, "host"), session));
  const tar = join(top, "layer.tar");
  await recompress(store, layer, tar, "none");
  const out = join(top, "bsd");
  mkdirSync(out);
  execFileSync("bsdtar", ["--numeric-owner", "--acls", "--xattrs", "-xpf", tar, "-C", out], {
    stdio: "pipe",
  });
  assert.equal(withoutKnown(fingerprint(out)), withoutKnown(fingerprint(tree)));
  assert.ok(existsSync(join(out, "two")));
  // And the other way round: what libarchive writes is read with every attribute.
  const theirs = join(top, "theirs.tar");
  execFileSync("bsdtar", ["--format=pax", "--acls", "--xattrs", "-cpf", theirs, "-C", tree, "."], {
    stdio: "pipe",
  });
  const back = join(top, "back");
  mkdirSync(back);
  const chunks = (async function* () {
    yield new Uint8Array(readFileSync(theirs));
  })();
  await makeTree(back, readTarObjects(chunks), {}, (reason) => new Error(reason) as never);
  // Access lists too, which it writes in records of its own; times before 1970 that have a fraction it writes wrongly.
  const withoutOld = (text: string): string => text.replace(/ -\d+ /g, " before 1970 ");
  assert.equal(withoutOld(fingerprint(back)), withoutOld(fingerprint(tree)));
});

/**
 * What libarchive 3.6 does otherwise, as docs/verification.md states: it reads ACLs from records of its own alone (SCHILY.acl.*), takes a time
 * before 1970 with a fraction for a later one, and leaves the time of the top directory.
 */
function withoutKnown(text: string): string {
  return text
    .split("\n")
    .filter((line) => !line.startsWith("b'.' "))
    .map((line) =>
      line.replace(/\('system\.posix_acl_\w+', b'[^']*'\)(, )?/g, "").replace(/ -\d+ /, " before 1970 "),
    )
    .join("\n");
}
