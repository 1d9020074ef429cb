import assert from "node:assert/strict";
import { test } from "node:test";
import {
  parseDpkgAlternative, parseDpkgConffiles, parseDpkgDiversions, parseDpkgList, parseDpkgMd5sums, parseDpkgStatus, parseRelations,
} from "../../../src/formats/dpkg.ts"; // biome-ignore format: short

const stanza = `Package: apache2
Status: install ok installed
Section: httpd
Priority: optional
Installed-Size: 625
Architecture: amd64
Version: 2.4.62-1
Provides: httpd, httpd-cgi (= 1)
Pre-Depends: dpkg (>= 1.17)
Depends: apache2-bin (= 2.4.62-1), mime-support | mailcap, perl:any
Conffiles:
 /etc/apache2/apache2.conf 354db6e7fd7a5d27a9d5cf9d3eb2b2b3
 /etc/old 354db6e7fd7a5d27a9d5cf9d3eb2b2b3 obsolete
Description: Apache HTTP Server
 The Apache.
 .
 More.
`;

test("status: a package with its fields", () => {
  const { packages, problems } = parseDpkgStatus(stanza);
  assert.deepEqual(problems, []);
  const one = packages[0];
  assert.equal(one?.name, "apache2");
  assert.equal(one?.state, "installed");
  assert.equal(one?.installedSize, 625 * 1024);
  assert.equal(one?.summary, "Apache HTTP Server");
  assert.deepEqual(
    one?.provides.map((relation) => relation.name),
    ["httpd", "httpd-cgi"],
  );
  assert.deepEqual(
    one?.depends.map((group) => group.map((relation) => relation.name)),
    [["apache2-bin"], ["mime-support", "mailcap"], ["perl"]],
  );
  assert.equal(one?.depends[2]?.[0]?.architecture, "any");
  assert.deepEqual(
    one?.conffiles.map((file) => [file.path, file.obsolete]),
    [
      ["/etc/apache2/apache2.conf", false],
      ["/etc/old", true],
    ],
  );
});

test("status: damage is named by line and the rest is read", () => {
  const text = `${stanza}\nPackage: ../evil\nStatus: install ok installed\n\n\x00\xffgarbage\nPackage: good\nStatus: install ok installed\n\nPackage: b\nStatus: what\n\nPackage: cut\nVersi`;
  const { packages, problems } = parseDpkgStatus(text);
  assert.deepEqual(
    packages.map((one) => one.name),
    ["apache2", "good", "cut"],
  );
  assert.deepEqual(
    problems.map((problem) => problem.line),
    [19, 22, 26, 30, 30],
  );
  assert.match(problems[0]?.message ?? "", /no valid package name: "\.\.\/evil"/);
});

test("relations that are none are left out", () => {
  assert.deepEqual(parseRelations(" , a (>= 1) [amd64] | , (broken"), [
    [{ name: "a", architecture: undefined, operator: ">=", version: "1" }],
  ]);
});

test("lists, conffiles, md5sums", () => {
  assert.deepEqual(parseDpkgList("/.\n/usr\n/usr/bin/a b\nrelative\n"), ["/usr", "/usr/bin/a b"]);
  assert.deepEqual(parseDpkgConffiles("/etc/a\nremove-on-upgrade /etc/b\n"), ["/etc/a", "/etc/b"]);
  assert.equal(
    parseDpkgMd5sums("d41d8cd98f00b204e9800998ecf8427e  usr/bin/x\nbad\n").get("/usr/bin/x"),
    "d41d8cd98f00b204e9800998ecf8427e",
  );
});

test("diversions come in threes", () => {
  const diversions = parseDpkgDiversions("/bin/sh\n/bin/sh.distrib\ndash\n/a\n/b\n:\n/cut\n");
  assert.deepEqual(diversions, [
    { from: "/bin/sh", to: "/bin/sh.distrib", by: "dash" },
    { from: "/a", to: "/b", by: ":" },
  ]);
});

test("alternatives: links and choices, slaves that are absent", () => {
  const text =
    "auto\n/usr/bin/awk\nawk.1.gz\n/usr/share/man/man1/awk.1.gz\n\n/usr/bin/gawk\n10\n\n/usr/bin/mawk\n5\n/usr/share/man/man1/mawk.1.gz\n\n";
  const alternative = parseDpkgAlternative("awk", text);
  assert.deepEqual(alternative?.links, [
    { name: "awk", link: "/usr/bin/awk" },
    { name: "awk.1.gz", link: "/usr/share/man/man1/awk.1.gz" },
  ]);
  assert.deepEqual(alternative?.choices, [
    { priority: 10, paths: ["/usr/bin/gawk", ""] },
    { priority: 5, paths: ["/usr/bin/mawk", "/usr/share/man/man1/mawk.1.gz"] },
  ]);
  assert.equal(parseDpkgAlternative("x", "nonsense"), undefined);
});
