// Installers as people use them, on a Debian 11 and on a machine with rpm: dpkg, rpm, tar, make, a script. The package runs and behaves
// as the application that was installed.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type CliResult, type Fixture, makeFixture, whyNot } from "../integration/runtime-fixture.ts";
import { debian11 } from "../support/roots.ts";
import { addText, makeSmallRoot } from "../support/small-root.ts";

const skip = whyNot() ?? (existsSync(debian11) ? false : "needs the Debian 11 root");

const control = `Package: shopd
Version: 1.2
Architecture: all
Maintainer: Somebody <somebody@example.org>
Depends: adduser
Description: A shop
`;

/** Makes a user, state, an alternative and the link that enables the service; as maintainer scripts do. */
const postinst = `#!/bin/sh
set -e
getent passwd shopd >/dev/null || useradd -r -d /var/lib/shopd -s /usr/sbin/nologin shopd
mkdir -p /var/lib/shopd /etc/systemd/system/multi-user.target.wants
echo made >/var/lib/shopd/state
chown -R shopd /var/lib/shopd
chmod 750 /var/lib/shopd
ln -sf /lib/systemd/system/shopd.service /etc/systemd/system/multi-user.target.wants/shopd.service
update-alternatives --install /usr/bin/shop shop /usr/sbin/shopd 10
invoke-rc.d shopd start || true
`;

const daemon = `#!/bin/sh
. /etc/shopd/shopd.conf
echo "$(id -un) $(cat "$words") $(cat /var/lib/shopd/state) $(readlink /etc/alternatives/shop)"
for plugin in "$plugins"/*.sh; do
	[ ! -e "$plugin" ] || . "$plugin"
done
`;

const deb: Readonly<Record<string, string>> = {
  "DEBIAN/control": control,
  "DEBIAN/conffiles": "/etc/shopd/shopd.conf\n",
  "DEBIAN/postinst": postinst,
  "etc/shopd/shopd.conf": "words=/usr/share/shopd/words\nplugins=/usr/lib/shopd/plugins\n",
  "usr/lib/shopd/plugins/README": "plug-ins go here\n",
  "etc/init.d/shopd": "#!/bin/sh\necho started >/var/lib/shopd/state\n",
  "usr/share/shopd/words": "hello",
  "usr/sbin/shopd": daemon,
  "lib/systemd/system/shopd.service":
    "[Unit]\nDescription=shop\n[Service]\nUser=shopd\nExecStart=/usr/sbin/shopd\n[Install]\nWantedBy=multi-user.target\n",
};

const spec = `%global _binary_payload w1.gzdio
%global __os_install_post %{nil}
Name: greeter
Version: 1
Release: 1
Summary: Greets
License: Apache-2.0
BuildArch: noarch
AutoReqProv: no
%description
Greets.
%install
mkdir -p %{buildroot}/usr/bin %{buildroot}/etc
printf '#!/bin/sh\\n. /etc/greeter.conf\\necho $WORDS $(cat /etc/made-by-post)\\n' >%{buildroot}/usr/bin/greeter
echo WORDS=hello >%{buildroot}/etc/greeter.conf
%post
echo posted >/etc/made-by-post
%files
%attr(755,root,root) /usr/bin/greeter
%config /etc/greeter.conf
`;

describe("capture install", { skip, timeout: 400_000 }, () => {
  const base = mkdtempSync(join(tmpdir(), "tranship-install-"));
  const machine = `rootfs:${debian11}`;
  let fixture: Fixture;
  const cli = (...words: string[]): Promise<CliResult> => fixture.cli(words);
  const ok = async (...words: string[]): Promise<CliResult> => {
    const result = await cli(...words);
    assert.equal(result.status, 0, result.stderr);
    return result;
  };

  before(async () => {
    fixture = await makeFixture();
    addText(join(base, "deb"), deb);
    for (const name of ["DEBIAN/postinst", "usr/sbin/shopd", "etc/init.d/shopd"])
      chmodSync(join(base, "deb", name), 0o755);
    execFileSync("dpkg-deb", [
      "--root-owner-group",
      "-b",
      join(base, "deb"),
      join(base, "shopd_1.2_all.deb"),
    ]);
  });
  after(async () => {
    await fixture.remove();
    rmSync(base, { recursive: true });
  });

  it("dpkg -i: user, state, unit and alternative come along, and the service runs", async () => {
    const root = statSync(join(debian11, "etc"), { bigint: true });
    const made = await ok(
      "capture",
      "install",
      "-m",
      machine,
      "-t",
      "shop",
      "--with",
      join(base, "shopd_1.2_all.deb"),
      "--",
      "dpkg",
      "-i",
      "shopd_1.2_all.deb",
    );
    assert.match(
      made.stderr,
      /services: shopd\n {2}programs: shop, shopd\n {2}users: shopd\n {2}groups: shopd/,
    );
    assert.equal(statSync(join(debian11, "etc"), { bigint: true }).ctimeNs, root.ctimeNs);
    // "made": the script that starts it was not run by invoke-rc.d, as the service is started by the package's init.
    assert.deepEqual((await ok("run", "--rm", "shop")).stdout, "shopd hello made /usr/sbin/shopd\n");
    assert.match((await ok("run", "--rm", "shop", "@shop")).stdout, /^root hello made/);
    assert.match((await ok("why", "shop", "/var/lib/shopd/state")).stdout, /made by the installer/);
    const records = await cli("why", "shop", "/var/lib/dpkg/status");
    assert.match(records.stdout, /left out: record of the package manager/);
    assert.equal(records.status, 4);
    await fixture.clean();
  });

  it("capture installed: edited configuration, a site file, a plug-in, an alternative, user and state come along", async () => {
    const root = join(base, "old");
    execFileSync("cp", ["-a", debian11, root]);
    execFileSync("cp", [join(base, "shopd_1.2_all.deb"), join(root, "root")]);
    execFileSync("chroot", [root, "dpkg", "-i", "/root/shopd_1.2_all.deb"], { stdio: "ignore" });
    const original = (): string =>
      execFileSync("chroot", ["--userspec=shopd", root, "/usr/sbin/shopd"], { encoding: "utf8" });
    assert.match(original(), /^shopd hello (made|started) /);
    writeFileSync(
      join(root, "etc/shopd/shopd.conf"),
      "words=/etc/shopd/sites/mine\nplugins=/usr/lib/shopd/plugins\n",
    );
    addText(root, {
      "etc/shopd/sites/mine": "edited",
      "usr/lib/shopd/plugins/site.sh": "echo from a plug-in of this site\n",
    });
    const made = await ok(
      "capture",
      "installed",
      "-m",
      `rootfs:${root}`,
      "-t",
      "old",
      "--service",
      "shopd",
      "shopd",
    );
    assert.match(made.stderr, /1 configuration files edited since installation/);
    const run = await ok("run", "--rm", "old");
    assert.equal(run.stdout, original());
    assert.match(
      run.stdout,
      /^shopd edited (made|started) \/usr\/sbin\/shopd\nfrom a plug-in of this site\n$/,
    );
    assert.equal(
      (
        await ok(
          "run",
          "--rm",
          "old",
          "sh",
          "-c",
          "id -u shopd; stat -c '%U %a' /var/lib/shopd; shop | head -1",
        )
      ).stdout.split("\n")[1],
      "shopd 750",
    );
    const why = async (path: string) => (await ok("why", "old", path)).stdout;
    assert.match(await why("/etc/shopd/shopd.conf"), /edited since shopd 1\.2 was installed/);
    assert.match(await why("/usr/lib/shopd/plugins/site.sh"), /of no package itself|below|named in/);
    assert.match(await why("/var/lib/shopd/state"), /data of \/var\/lib\/shopd/);
    assert.match(await why("/usr/bin/shop"), /installed package shopd|link on the way/);
    await fixture.clean();
  });

  it("a script as of make install, and tar: what they put beside the package manager", async () => {
    const small = `rootfs:${join(base, "small")}`;
    makeSmallRoot(join(base, "small"));
    addText(join(base, "src"), { text: "from make\n", hello: "#!/bin/sh\ncat /opt/hello/text\n" });
    // The small machine has no make: a script with what a Makefile would call.
    const setup =
      "#!/bin/sh\nset -e\nB=/bin/busybox\ncd src\nmkdir built\n$B cp hello built\n$B mkdir -p /opt/hello/bin\n$B cp built/hello /opt/hello/bin/hello\n$B chmod 755 /opt/hello/bin/hello\n$B cp text /opt/hello/text\n$B mkdir -p /usr/local/bin\n$B ln -s /opt/hello/bin/hello /usr/local/bin/hello\n";
    writeFileSync(join(base, "setup.sh"), setup, { mode: 0o755 });
    const given = ["--with", join(base, "src"), "--with", join(base, "setup.sh")];
    await ok("capture", "install", "-m", small, "-t", "made", ...given, "--cmd", "hello", "--", "./setup.sh");
    assert.equal((await ok("run", "--rm", "made")).stdout, "from make\n");
    assert.deepEqual(
      readdirSync(join(base, "src")).sort(),
      ["hello", "text"],
      "the directory of --with stays as it is",
    );
    addText(join(base, "tree"), { "opt/box/bin/box": "#!/bin/sh\necho from tar\n" });
    chmodSync(join(base, "tree/opt/box/bin/box"), 0o755);
    execFileSync("tar", ["-C", join(base, "tree"), "-czf", join(base, "box.tgz"), "opt"]);
    await ok(
      "capture",
      "install",
      "-m",
      small,
      "-t",
      "box",
      "--with",
      join(base, "box.tgz"),
      "--",
      "/bin/busybox",
      "tar",
      "-C",
      "/",
      "-xzf",
      "box.tgz",
    );
    assert.equal((await ok("run", "--rm", "box", "@box")).stdout, "from tar\n");
    await fixture.clean();
  });

  it("rpm -i", { skip: existsSync("/usr/bin/rpmbuild") ? false : "needs rpm" }, async () => {
    const root = join(base, "machine");
    makeSmallRoot(root);
    rmSync(join(root, "var/lib/dpkg"), { recursive: true });
    for (const program of ["/usr/bin/rpm", ...librariesOf("/usr/bin/rpm")]) {
      mkdirSync(join(root, dirname(program)), { recursive: true });
      execFileSync("cp", ["-L", program, join(root, program)]);
    }
    mkdirSync(join(root, "usr/lib"), { recursive: true });
    execFileSync("cp", ["-a", "/usr/lib/rpm", join(root, "usr/lib")]);
    writeFileSync(join(base, "greeter.spec"), spec);
    execFileSync(
      "rpmbuild",
      ["-bb", "--quiet", "--define", `_topdir ${base}/build`, join(base, "greeter.spec")],
      { stdio: "ignore" },
    );
    const file = join(base, "build/RPMS/noarch/greeter-1-1.noarch.rpm");
    const install = ["rpm", "--dbpath", "/var/lib/rpm", "-i", "--nodeps", "greeter-1-1.noarch.rpm"];
    await ok("capture", "install", "-m", `rootfs:${root}`, "-t", "greeter", "--with", file, "--", ...install);
    assert.equal((await ok("run", "--rm", "greeter", "@greeter")).stdout, "hello posted\n");
    assert.match(
      (await ok("why", "greeter", "/etc/greeter.conf")).stdout,
      /made by the installer[\s\S]*installed package greeter/,
    );
    assert.match(
      (await cli("why", "greeter", "/var/lib/rpm/rpmdb.sqlite")).stdout,
      /record of the package manager/,
    );
    assert.equal(existsSync(join(root, "usr/bin/greeter")), false);
    await fixture.clean();
  });
});

function librariesOf(program: string): string[] {
  const listed = execFileSync("ldd", [program], { encoding: "latin1" });
  return [...listed.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1] ?? "");
}
