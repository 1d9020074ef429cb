import assert from "node:assert/strict";
import { test } from "node:test";
import { writeMap } from "../../../src/capture/data/write-map.ts";
import { type CoverageFacts, coverageLines, coverageOf } from "../../../src/capture/evidence/coverage.ts";
import { newEvidence, noteUse } from "../../../src/capture/evidence/evidence.ts";
import { Reducer } from "../../../src/capture/evidence/reduce.ts";
import type { Reason } from "../../../src/closure/reason.ts";
import { newDescriptor } from "../../../src/package/descriptor.ts";

const descriptor = {
  ...newDescriptor(
    { id: "shop", name: "shop", version: "1", publisher: "" },
    { os: { id: "debian", version: "11" }, kernel: "", architecture: "amd64" },
  ),
  programs: [
    { name: "cron-a", command: ["/bin/sh", "-c", "/opt/shop/nightly.sh >/dev/null"] },
    { name: "cron-b", command: ["/bin/sh", "-c", "/opt/shop/weekly.sh"] },
  ],
  services: [
    { name: "web-before-1", program: "x", type: "oneshot" as const },
    { name: "web", program: "web" },
  ],
  schedules: [
    { name: "cron-a", cron: "@daily", program: "cron-a" },
    { name: "cron-b", cron: "@daily", program: "cron-b" },
  ],
  volumes: [{ path: "/var/lib/shop", initial: "copy" as const }],
};
const traced = (detail: string): Reason => ({ kind: "traced", from: "/usr/sbin/web", detail });
const root: Reason = { kind: "listed", from: "/etc/web.conf", detail: "document root" };

function factsOf(more: Partial<CoverageFacts> = {}): CoverageFacts {
  const evidence = newEvidence();
  evidence.listeners.push({ family: "inet", address: "0.0.0.0", port: 80, protocol: "tcp" });
  evidence.listeners.push({ family: "inet6", address: "::", port: 8443, protocol: "tcp" });
  evidence.connected.add(80);
  noteUse(evidence, "/opt/shop/nightly.sh", "exec", "/bin/sh");
  const reasons = new Map<string, readonly Reason[]>([
    ["/etc/web.conf", [traced("read")]],
    ["/etc/web.d/unused.conf", [{ kind: "configuration", from: "/etc/web.conf" }]],
    ["/etc/lib.conf", [{ kind: "installed", detail: "lib" }]],
    ["/srv/a", [traced("read"), root]],
    ["/srv/b\n", [traced("stat"), root]],
    ["/srv", [root]],
    ["/usr/lib/web/modules/m.so", [{ kind: "installed", detail: "web" }]],
    ["/usr/lib/libx.so", [{ kind: "installed", detail: "x" }]],
    ["/lib/security/pam.so", [{ kind: "base", detail: "PAM" }]],
  ]);
  const group = (layer: "system" | "app" | "config", files: string[]) => {
    return { name: "g", layer, why: "", bytes: 0, files };
  };
  return {
    evidence,
    descriptor,
    reloadable: new Map([["web", new Set([1])]]),
    startedAndStopped: true,
    groups: [
      group("config", ["/etc/web.conf", "/etc/web.d/unused.conf", "/etc/lib.conf"]),
      group("app", ["/srv", "/srv/a", "/srv/b\n", "/usr/lib/web/modules/m.so", "/usr/lib/libx.so"]),
      group("system", ["/lib/security/pam.so"]),
    ],
    reasons,
    isFile: (path) => path !== "/srv",
    ...more,
  };
}

test("coverage counts what was exercised and names what was not", () => {
  assert.deepEqual(coverageOf(factsOf()), [
    { what: "listeners", total: 2, exercised: 1, never: ["tcp [::]:8443"] },
    { what: "service verbs", total: 3, exercised: 2, never: ["web reload"] },
    { what: "schedules", total: 2, exercised: 1, never: ["cron-b"] },
    { what: "configuration files", total: 2, exercised: 1, never: ["/etc/web.d/unused.conf"] },
    { what: "document roots", total: 2, exercised: 1, never: ["/srv/b\\x0a"] },
    { what: "plug-ins", total: 1, exercised: 0, never: ["/usr/lib/web/modules/m.so"] },
  ]);
});

test("what is not there has no line; a running service was neither started nor stopped", () => {
  const facts = factsOf({
    groups: [],
    descriptor: { ...descriptor, schedules: [] },
    startedAndStopped: false,
  });
  facts.evidence.listeners.length = 0;
  assert.deepEqual(coverageOf(facts), [
    { what: "service verbs", total: 3, exercised: 0, never: ["web reload", "web start", "web stop"] },
  ]);
  const [line] = coverageLines([{ what: "plug-ins", total: 9, exercised: 1, never: ["a", "b", "c"] }], 2);
  assert.match(line ?? "", /plug-ins +1 of 9 +never: a, b and 6 more$/);
});

test("connections that programs ask for are seen, those that fail are not", () => {
  const reducer = new Reducer(() => false);
  const bind = { type: "bind", pid: 1, family: 2, address: "\x7f\0\0\x01", kind: "connect" } as const;
  reducer.add({ ...bind, port: 3306, result: 0 });
  reducer.add({ ...bind, port: 5432, result: -115 });
  reducer.add({ ...bind, port: 6379, result: -111 });
  assert.deepEqual([...reducer.evidence.connected], [3306, 5432]);
});

test("each written path is given a place", () => {
  const evidence = newEvidence();
  const write = (path: string, by = "/usr/sbin/web"): void => {
    noteUse(evidence, path, "write", by).found = true;
  };
  for (const path of ["/var/lib/shop/a", "/var/lib/shop/b/c", "/run/web/web.pid", "/run/web/sock", "/tmp/x"])
    write(path);
  for (const path of ["/var/log/web/access", "/srv/state/list", "/proc/self/oom_score_adj", "/dev/null"])
    write(path);
  write("/var/lib/shop/a2", "/bin/dd");
  noteUse(evidence, "/srv/state/refused", "write", "/bin/dd");
  noteUse(evidence, "/srv/only/read", "read", "/bin/dd").found = true;
  assert.deepEqual(
    writeMap(evidence, descriptor).map(({ path, to, paths, by }) => `${to} ${path} ${paths} ${by}`),
    [
      "volume /var/lib/shop 3 /bin/dd",
      "memory /run/web 1 /usr/sbin/web",
      "log /var/log/web 1 /usr/sbin/web",
      "lock /run/web 1 /usr/sbin/web",
      "instance /srv/state 1 /usr/sbin/web",
      "instance /tmp 1 /usr/sbin/web",
    ],
  );
});
