// `tranship update` of redirections: programs in process have other rules while they run, and what cannot change is refused by its name. As root and as an ordinary user.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { newDescriptor } from "../../src/package/descriptor.ts";
import { cannotRun } from "../support/engine.ts";
import { type Outcome, TwoUsers, type Who } from "../support/two-users.ts";
import { makePackage, until, whyNot } from "./runtime-fixture.ts";

const plain = newDescriptor(
  { id: "", name: "", version: "", publisher: "" },
  { os: { id: "", version: "" }, kernel: "", architecture: "" },
);

describe("redirections of instances in process that change", {
  skip: whyNot() ?? cannotRun,
  timeout: 300_000,
}, () => {
  let users: TwoUsers;
  let roots: TwoUsers["roots"];
  before(async () => {
    users = new TwoUsers("in-process-rules");
    roots = users.roots;
    const files = [
      { from: "/opt/app", to: "/srv/one", match: "folder", mode: "full" },
      { from: "/opt/copied", to: "/srv/one", match: "folder", mode: "write-copy" },
    ] as const;
    for (const root of Object.values(roots))
      await makePackage(root, "box:1", {
        files: { "srv/one/a": "one\n", "srv/two/a": "two\n", "srv/file": "a file\n" },
        descriptor: { redirections: { ...plain.redirections, files: [...files] } },
      });
    users.handOver();
  });
  after(() => {
    for (const who of ["root", "user"] as const) cli(who, "rm", "-f", "shop", "apart");
    users.remove();
  });

  const cli = (who: Who, ...args: string[]): Outcome => users.cli(who, ...args);
  const done = (who: Who, ...args: string[]): string => users.done(who, ...args);
  function refused(who: Who, message: RegExp, ...args: string[]): void {
    const { status, stderr } = cli(who, ...args);
    assert.notEqual(status, 0, args.join(" "));
    assert.match(stderr, message);
    assert.match(stderr, /hint: /);
  }
  const loop =
    'while :; do read -r a < /opt/app/a; echo "app $a"; [ -e /opt/new/a ] && echo "new $(cat /opt/new/a)"; sleep 0.1; done';

  for (const who of ["root", "user"] as const) {
    it(`is seen by programs that run, by exec, by inspect and by later starts (${who})`, async () => {
      done(who, "run", "--engine", "inprocess", "-d", "--name", "shop", "box:1", "/bin/sh", "-c", loop);
      const told = (): string => done(who, "logs", "shop");
      const read = (path: string): string => done(who, "exec", "shop", "/bin/cat", path);
      await until(() => /^app one$/m.test(told()));
      done(who, "exec", "shop", "/bin/sh", "-c", "echo copy > /opt/copied/b");

      assert.equal(done(who, "update", "--redirect", "/opt/app=/srv/two", "shop"), "shop\n");
      await until(() => /^app two$/m.test(told()));
      assert.equal(read("/opt/app/a"), "two\n");
      assert.equal(read("/opt/copied/b"), "copy\n");

      const more = ["--redirect", "/opt/new=/srv/two:read-only", "--redirect", "/opt/app/a=/srv/file"];
      done(who, "update", ...more, "shop");
      await until(() => /^new two$/m.test(told()) && /^app a file$/m.test(told()));
      assert.match(
        cli(who, "exec", "shop", "/bin/sh", "-c", "echo > /opt/new/a").stderr,
        /Read-only|cannot create/,
      );
      assert.match(done(who, "exec", "shop", "/bin/ls", "/opt"), /new/);

      done(who, "update", "--redirect", "/opt/new=:hide", "--redirect-rm", "/opt/app/a", "shop");
      assert.notEqual(cli(who, "exec", "shop", "/bin/cat", "/opt/new/a").status, 0);
      assert.equal(read("/opt/app/a"), "two\n");
      const format = "{{range .Redirections}}{{.From}}={{.To}}:{{.Mode}} {{end}}";
      assert.equal(
        done(who, "inspect", "--format", format, "shop").trim(),
        "/opt/app=/srv/two:full /opt/copied=/srv/one:write-copy /opt/new=:hide",
      );

      done(who, "restart", "-t", "0", "shop");
      assert.equal(read("/opt/app/a"), "two\n");
      assert.equal(read("/opt/copied/b"), "copy\n");
      done(who, "update", "--redirect-rm", "/opt/app", "shop");
      assert.notEqual(cli(who, "exec", "shop", "/bin/cat", "/opt/app/a").status, 0);
    });

    it(`leads addresses elsewhere (${who})`, () => {
      done(who, "update", "--connect", "192.0.2.77:9=127.0.0.1:1", "shop");
      const format = "{{range .NetworkRedirections}}{{.Kind}} {{.From}}={{.To}} {{end}}";
      assert.equal(
        done(who, "inspect", "--format", format, "shop").trim(),
        "connect 192.0.2.77:9=127.0.0.1:1",
      );
      done(who, "update", "--connect", "192.0.2.77:9=127.0.0.1:2", "shop");
      assert.equal(
        done(who, "inspect", "--format", format, "shop").trim(),
        "connect 192.0.2.77:9=127.0.0.1:2",
      );
      done(who, "update", "--connect-rm", "192.0.2.77:9", "shop");
      assert.equal(done(who, "inspect", "--format", format, "shop").trim(), "");
    });

    it(`refuses by name what cannot change (${who})`, () => {
      refused(
        who,
        /E_REDIRECTION.*\/opt\/copied.*mode write-copy/,
        "update",
        "--redirect-rm",
        "/opt/copied",
        "shop",
      );
      refused(
        who,
        /E_REDIRECTION.*\/opt\/copied.*mode write-copy/,
        "update",
        "--redirect",
        "/opt/copied=/srv/two",
        "shop",
      );
      refused(
        who,
        /E_REDIRECTION.*\/opt\/x.*write-copy needs/,
        "update",
        "--redirect",
        "/opt/x=/srv/two:write-copy",
        "shop",
      );
      refused(
        who,
        /E_REDIRECTION.*\/opt\/x.*told to programs/,
        "update",
        "--redirect",
        "/opt/x=/srv/two:merged",
        "shop",
      );
      refused(who, /E_REDIRECTION.*\/opt\/none: no rule/, "update", "--redirect-rm", "/opt/none", "shop");
      refused(who, /E_REDIRECTION.*192.0.2.9:1: no rule/, "update", "--connect-rm", "192.0.2.9:1", "shop");
      refused(
        who,
        /E_REDIRECTION.*belongs to the instance/,
        "update",
        "--redirect",
        "/proc=/srv/two",
        "shop",
      );
      refused(who, /E_USAGE/, "update", "--redirect-rm", "opt", "shop");
      refused(who, /E_USAGE.*nothing to change/, "update", "shop");
      done(who, "rm", "-f", "shop");
    });
  }

  it("is refused under namespaces, which have mounts", () => {
    done("root", "run", "-d", "--network", "none", "--name", "apart", "box:1", "/bin/sleep", "60");
    for (const flags of [
      ["--redirect", "/opt/app=/srv/two"],
      ["--redirect-rm", "/opt/app"],
      ["--connect", "192.0.2.77:9=127.0.0.1:1"],
    ])
      refused(
        "root",
        /E_INSTANCE_STATE.*redirections of apart are those of its start/,
        "update",
        ...flags,
        "apart",
      );
    done("root", "rm", "-f", "apart");
  });
});
