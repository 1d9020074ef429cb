// A small old machine as a directory: busybox, one dynamic program with its libraries, a web service, a package database.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

const applets =
  "sh true false echo sleep ls cat kill touch mkdir rm dd env head httpd nc wget stat sync trap seq test".split(
    " ",
  );

const texts: Readonly<Record<string, string>> = {
  "etc/os-release": 'ID=debian\nVERSION_ID="11"\nPRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\n',
  "etc/hostname": "old-web\n",
  "etc/hosts": "127.0.0.1 localhost old-web\n",
  "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nweb:x:33:33:web:/srv:/bin/sh\n",
  "etc/group": "root:x:0:\nweb:x:33:\n",
  "etc/nsswitch.conf": "passwd: files\nhosts: files\n",
  "srv/www/index.html": "<h1>hello</h1>\n",
  "srv/www/data.txt": `${"words and more words\n".repeat(200)}`,
  "etc/systemd/system/web.service":
    "[Unit]\nDescription=web\n[Service]\nExecStart=/bin/httpd -f -p 8080 -h /srv/www\n[Install]\nWantedBy=multi-user.target\n",
  "etc/systemd/system/dull.service":
    "[Unit]\nDescription=opens nothing\n[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=multi-user.target\n",
  "var/lib/dpkg/status":
    "Package: coreutils\nStatus: install ok installed\nArchitecture: amd64\nVersion: 8.32\nDescription: tools\n\n",
  "var/lib/dpkg/info/coreutils.list": "/.\n/usr\n/usr/bin\n/usr/bin/env\n",
};

export function makeSmallRoot(root: string): void {
  for (const name of [
    "bin",
    "etc",
    "tmp",
    "root",
    "proc",
    "sys",
    "dev",
    "run",
    "usr/bin",
    "var/tmp",
    "var/log",
  ])
    mkdirSync(join(root, name), { recursive: true });
  cpSync("/bin/busybox", join(root, "bin/busybox"));
  for (const name of applets) symlinkSync("busybox", join(root, "bin", name));
  addText(root, texts);
  copyProgram(root, "/usr/bin/env");
}

export function addText(root: string, files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}

/** A dynamic program of this host with what ldd names. */
function copyProgram(root: string, program: string): void {
  const listed = execFileSync("ldd", [program], { encoding: "latin1" });
  for (const path of [program, ...[...listed.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1] ?? "")]) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    cpSync(realpathSync(path), join(root, path));
  }
}

/** Everything about a tree but access times: content, kind, mode, owner, links, times, extended attributes. */
export function treeState(root: string): string[] {
  const xattrs = execFileSync("getfattr", ["-R", "-h", "-d", "-m", "-", "--absolute-names", root], {
    encoding: "latin1",
  });
  const lines: string[] = [xattrs];
  // Names may be any bytes: one char each.
  const visit = (path: string): void => {
    const name = Buffer.from(path, "latin1");
    const stat = lstatSync(name, { bigint: true });
    const content = stat.isFile()
      ? createHash("sha256").update(readFileSync(name)).digest("hex")
      : stat.isSymbolicLink()
        ? readlinkSync(name, "latin1")
        : "";
    lines.push(
      [
        path,
        stat.mode.toString(8),
        stat.uid,
        stat.gid,
        stat.nlink,
        stat.ino,
        stat.size,
        stat.mtimeNs,
        stat.ctimeNs,
        stat.rdev,
        content,
      ].join(" "),
    );
    if (stat.isDirectory()) for (const one of readdirSync(name, "latin1").sort()) visit(`${path}/${one}`);
  };
  visit(root);
  return lines;
}
