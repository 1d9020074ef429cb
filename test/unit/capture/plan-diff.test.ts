import assert from "node:assert/strict";
import { test } from "node:test";
import { largestOf } from "../../../src/capture/plan/largest.ts";
import type { Plan, PlanGroup } from "../../../src/capture/plan/plan.ts";
import { describeDifference, diffPlans, planDifferenceSchema } from "../../../src/capture/plan/plan-diff.ts";
import { describePlan } from "../../../src/capture/plan/plan-summary.ts";
import type { Entry } from "../../../src/formats/entry.ts";
import { newDescriptor } from "../../../src/package/descriptor.ts";

const descriptor = newDescriptor(
  { id: "shop", name: "shop", version: "1", publisher: "" },
  { os: { id: "debian", version: "11" }, kernel: "", architecture: "amd64" },
);
const group = (name: string, layer: PlanGroup["layer"], bytes: number, files: string[]): PlanGroup => {
  return { name, layer, why: "", bytes, files };
};

function planOf(groups: PlanGroup[], more: Partial<Plan> = {}): Plan {
  return {
    source: { machine: "rootfs:/old", asOf: 1n, evidence: undefined },
    package: descriptor,
    groups,
    excluded: [],
    candidates: [],
    missing: [],
    absent: [],
    coverage: [],
    writes: [],
    data: [],
    unmet: [],
    largest: { files: [], directories: [] },
    ...more,
  };
}

test("plans of the same content are the same, whatever their machine and time", () => {
  const plan = planOf([group("used", "app", 3, ["/a"])]);
  const other = { ...plan, source: { machine: "local:", asOf: 9n, evidence: "x" } };
  assert.equal(diffPlans(plan, other).same, true);
  assert.deepEqual(describeDifference(diffPlans(plan, other), String), ["the plans are the same"]);
});

test("files, layers, groups, descriptor and lists are compared", () => {
  const before = planOf([group("used", "app", 10, ["/a", "/b"]), group("libraries", "runtime", 5, ["/c"])], {
    package: { ...descriptor, ports: [{ port: 80, protocol: "tcp" }], environment: { LANG: "C" } },
    excluded: [{ path: "/k", why: "secret" }],
  });
  const after = planOf([group("used", "app", 12, ["/a", "/c"]), group("new", "config", 1, ["/d\xff"])], {
    package: {
      ...descriptor,
      ports: [
        { port: 80, protocol: "tcp" },
        { port: 443, protocol: "tcp" },
      ],
      environment: { LANG: "C.UTF-8" },
    },
  });
  const difference = diffPlans(before, after);
  assert.deepEqual(planDifferenceSchema.parse(difference), difference);
  assert.equal(difference.same, false);
  assert.deepEqual(difference.files, { before: 3, after: 3 });
  assert.deepEqual(difference.bytes, { before: 15, after: 13 });
  assert.deepEqual(difference.added, [{ path: "/d\\xff", layer: "config", group: "new" }]);
  assert.deepEqual(difference.removed, [{ path: "/b", layer: "app", group: "used" }]);
  assert.deepEqual(difference.moved, [{ path: "/c", from: "runtime", to: "app" }]);
  assert.deepEqual(
    difference.package.map((one) => one.key),
    ["environment.LANG", "ports.443/tcp.port", "ports.443/tcp.protocol"],
  );
  assert.deepEqual(difference.excluded, { added: [], removed: ["/k"] });
  const words = describeDifference(difference, String).join("\n");
  for (const part of ["+ /d\\xff (config, new)", "- /b (app, used)", "~ /c: runtime -> app", "- /k"])
    assert.ok(words.includes(part), words);
});

test("the largest files and directories are told with their reasons", () => {
  const sizes = { "/srv/www/video": 900, "/srv/www/a": 50, "/usr/lib/x.so": 200, "/usr/lib/y.so": 190 };
  const entries = new Map(
    Object.entries(sizes).map(([path, size]) => [path, { path, size, kind: "file" } as Entry]),
  );
  const groups = [
    group("tree /srv/www", "app", 950, ["/srv", "/srv/www", "/srv/www/video", "/srv/www/a"]),
    group("libraries", "runtime", 390, ["/usr/lib/x.so", "/usr/lib/y.so"]),
  ];
  const largest = largestOf(groups, entries, (path) => `why ${path}`);
  assert.deepEqual(largest.files.slice(0, 2), [
    { path: "/srv/www/video", bytes: 900, why: "why /srv/www/video" },
    { path: "/usr/lib/x.so", bytes: 200, why: "why /usr/lib/x.so" },
  ]);
  assert.deepEqual(largest.directories, [
    { path: "/srv/www", bytes: 950, files: 2, why: "mostly tree /srv/www" },
    { path: "/usr/lib", bytes: 390, files: 2, why: "mostly libraries" },
  ]);
  const edited = planOf([group("used", "app", 1, ["/usr/lib/x.so"])], { largest });
  const words = describePlan(edited).join("\n");
  assert.ok(words.includes("/usr/lib/x.so: why") && !words.includes("video"), words);
});
