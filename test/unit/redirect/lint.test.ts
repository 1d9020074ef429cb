import assert from "node:assert/strict";
import { test } from "node:test";
import { type Descriptor, type FileRedirection, newDescriptor } from "../../../src/package/descriptor.ts";
import type { LookedAt, PackageFiles } from "../../../src/package/lint.ts";
import { lintRedirections } from "../../../src/redirect/lint.ts";

const origin = { os: { id: "debian", version: "11" }, kernel: "", architecture: "amd64" };
const plain: Descriptor = newDescriptor({ id: "a", name: "a", version: "1", publisher: "" }, origin);

/** Names that end in / are directories; "a=b" is a link from a to b. */
function packageOf(...names: string[]): PackageFiles {
  const links = new Map(
    names.filter((one) => one.includes("=")).map((one) => one.split("=") as [string, string]),
  );
  return {
    look(asked): LookedAt | undefined {
      const path = links.get(asked) ?? asked;
      const kind = names.includes(`${path}/`) ? "directory" : "file";
      if (kind === "file" && !names.includes(path)) return undefined;
      return { kind, executable: false, empty: false, path };
    },
    users: () => undefined,
    groups: () => undefined,
    kernelParts: () => [],
    secrets: () => [],
  };
}

type Short = [from: string, to: string, match?: FileRedirection["match"], mode?: FileRedirection["mode"]];

function ids(
  rules: Short[],
  parts: Partial<Descriptor> = {},
  files: PackageFiles = packageOf("/srv/", "/one", "/opt/"),
): string[] {
  const list = rules.map(([from, to, match = "folder", mode = "full"]) => ({ from, to, match, mode }));
  const redirections = { ...plain.redirections, ...parts.redirections, files: list };
  return lintRedirections({ ...plain, ...parts, redirections }, files).map(
    (one) => `${one.severity} ${one.id} ${one.path.join(".")}`,
  );
}

test("redirections that are in order have no findings", () => {
  const rules: Short[] = [
    ["/old", "/srv"],
    ["/old", "/one", "exact"],
    ["/old/in", "/one", "exact", "write-copy"],
    ["/opt", "/opt"],
    ["/hidden", "/", "folder", "hide"],
    ["/etc/x", "/one", "exact", "merged"],
    ["/fixed", "/srv", "folder", "read-only"],
  ];
  assert.deepEqual(ids([...rules.slice(0, 2), ...rules.slice(3)]), []);
});

test("each way in which a rule cannot hold is found", () => {
  assert.deepEqual(ids([["/old", "/srv", "folder", "merged"]]), [
    "error merged-folder redirections.files.0.mode",
  ]);
  assert.deepEqual(ids([["/old", "/gone"]]), ["warning redirection-target redirections.files.0.to"]);
  assert.deepEqual(ids([["/old", "/one"]]), ["error redirection-kind redirections.files.0.to"]);
  assert.deepEqual(ids([["/proc/x", "/srv"]]), ["error redirection-refused redirections.files.0"]);
  assert.deepEqual(ids([["/old", "/dev"]]).slice(-1), ["error redirection-refused redirections.files.0"]);
  assert.deepEqual(ids([["/", "/", "folder", "hide"]]), ["error redirection-refused redirections.files.0"]);
  assert.deepEqual(
    ids([
      ["/old", "/srv"],
      ["/old/x", "/", "folder", "hide"],
    ]),
    ["error redirection-refused redirections.files.1"],
  );
  assert.deepEqual(
    ids([["/data/x", "/", "folder", "hide"]], { volumes: [{ path: "/data", initial: "copy" }] }),
    ["error redirection-refused redirections.files.0"],
  );
});

test("rules that never decide, also by a link of the package, and chains are found", () => {
  const twice: Short[] = [
    ["/old", "/srv"],
    ["/old/", "/opt"],
  ];
  assert.deepEqual(ids(twice), ["warning redirection-order redirections.files.1.from"]);
  const linked = packageOf("/srv/", "/run/", "/var/run=/run");
  assert.deepEqual(
    ids(
      [
        ["/run", "/srv"],
        ["/var/run", "/srv"],
      ],
      {},
      linked,
    ),
    ["warning redirection-order redirections.files.1.from"],
  );
  assert.deepEqual(ids([["/srv", "/opt"], ["/opt", "/srv"]]), [
    "warning redirection-chain redirections.files.0.to",
    "warning redirection-chain redirections.files.1.to",
  ]); // biome-ignore format: short
  assert.deepEqual(ids([["/srv", "/srv/in"]], {}, packageOf("/srv/", "/srv/in/")), [
    "warning redirection-chain redirections.files.0.to",
  ]);
});

test("clocks and addresses that cannot be read are found", () => {
  const elements = { ...plain.elements, clock: { offset: "soon" } };
  const network = [{ kind: "connect" as const, from: "db:1", to: "1.2.3.4:5" }];
  assert.deepEqual(ids([], { elements, redirections: { ...plain.redirections, network } }), [
    "error element-invalid elements.clock",
    "error redirection-invalid redirections.network.0",
  ]);
});
