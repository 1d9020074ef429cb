import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isTranshipError } from "../../src/base/errors.ts";
import { type MountInfo, parseMountInfo, visibleMounts } from "../../src/formats/mountinfo.ts";

const bytes = fc.string({ unit: fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)) });

/** As the kernel writes them (mangle_path): blank, tab, newline and backslash in octal. */
function mangle(text: string): string {
  return text.replace(/[ \t\n\\]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, "0")}`);
}

test("any path survives the kernel's escapes", () => {
  fc.assert(
    fc.property(bytes, bytes, (target, source) => {
      const line = `1 0 0:1 / /${mangle(target)} rw shared:1 - ext4 ${mangle(source)} rw`;
      const [mount] = parseMountInfo(line);
      assert.equal(mount?.target, `/${target}`);
      assert.equal(mount?.source, source);
    }),
  );
});

test("arbitrary text is parsed or refused with our error", () => {
  fc.assert(
    fc.property(bytes, (text) => {
      try {
        parseMountInfo(text);
      } catch (error) {
        assert.ok(isTranshipError(error, "E_PROTOCOL"));
      }
    }),
  );
});

/** The kernel's own way: from the root, into the first child mount on the way, again and again. */
function reached(mounts: readonly MountInfo[], path: string): MountInfo | undefined {
  let at = mounts[0];
  for (;;) {
    const below = mounts.filter(
      (mount) =>
        mount.parent === at?.id &&
        mount !== at &&
        (path === mount.target || path.startsWith(`${mount.target}/`)),
    );
    const next = below.sort((a, b) => a.target.length - b.target.length)[0];
    if (next === undefined) return at;
    at = next;
  }
}

test("visible are exactly the mounts that their own target leads to", () => {
  const names = fc.array(fc.constantFrom("a", "b", "ab"), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(fc.array(names, { maxLength: 8 }), (targets) => {
      const mounts = parseMountInfo("1 0 0:1 / / rw - tmpfs none rw");
      for (const [index, parts] of targets.entries()) {
        // As mount(2): on top of what the path leads to now.
        const target = `/${parts.join("/")}`;
        const parent = reached(mounts, target);
        const taken = mounts.some((mount) => mount.parent === parent?.id && mount.target === target);
        if (parent === undefined || taken) continue;
        mounts.push({ ...parent, id: index + 2, parent: parent.id, target });
      }
      const expected = mounts
        .filter((mount) => reached(mounts, mount.target) === mount)
        .map((mount) => mount.id);
      const found = visibleMounts(mounts).map((mount) => mount.id);
      assert.deepEqual(found.sort(), expected.sort());
    }),
  );
});
