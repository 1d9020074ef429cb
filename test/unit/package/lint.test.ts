import assert from "node:assert/strict";
import { test } from "node:test";
import { type Descriptor, newDescriptor } from "../../../src/package/descriptor.ts";
import { type LookedAt, lintDescriptor, type PackageFiles } from "../../../src/package/lint.ts";

function descriptor(parts: Partial<Descriptor>): Descriptor {
  const origin = { os: { id: "debian", version: "11" }, kernel: "", architecture: "amd64" };
  return { ...newDescriptor({ id: "a", name: "a", version: "1", publisher: "" }, origin), ...parts };
}

/** Names that end in / are directories, in "!" files that are not executable. */
function files(...names: string[]): PackageFiles {
  return {
    look(path): LookedAt | undefined {
      const kind = names.includes(`${path}/`) ? "directory" : "file";
      if (kind === "file" && !names.includes(path) && !names.includes(`${path}!`)) return undefined;
      const empty = !names.some((name) => name.startsWith(`${path}/`) && name !== `${path}/`);
      return { kind, executable: names.includes(path), empty, path };
    },
    users: () => new Set(["web"]),
    groups: () => undefined,
    kernelParts: () => (names.includes("/boot/vmlinuz") ? [["/boot/vmlinuz", "is a kernel"]] : []),
    secrets: () => (names.includes("/etc/shadow") ? [["/etc/shadow", "password hashes"]] : []),
  };
}

const ids = (parts: Partial<Descriptor>, ...names: string[]): string[] =>
  lintDescriptor(descriptor(parts), files(...names)).map(
    (one) => `${one.severity} ${one.id} ${one.path.join(".")}`,
  );

const main = { name: "main", command: ["/bin/x"] };

test("a package that is in order has no findings", () => {
  assert.deepEqual(
    ids(
      {
        programs: [
          { ...main, user: "web", workingDirectory: "/srv" },
          { name: "b", command: ["x"] },
        ],
        services: [{ name: "s", program: "main" }],
        volumes: [{ path: "/data", initial: "copy" }],
        secrets: [{ delivery: "mount", path: "/key", required: true }],
      },
      "/bin/x",
      "/srv/",
      "/data/",
      "/data/1",
    ),
    [],
  );
});

test("what is missing in the package is found", () => {
  assert.deepEqual(ids({ programs: [main] }), ["error program-missing programs.0.command"]);
  assert.deepEqual(ids({ programs: [main] }, "/bin/x!"), ["error program-not-executable programs.0.command"]);
  assert.deepEqual(ids({ programs: [{ name: "main", command: ["y"] }] }, "/opt/y"), [
    "error program-missing programs.0.command",
  ]);
  assert.deepEqual(
    ids({ programs: [{ ...main, environment: { PATH: "/opt" }, command: ["y"] }] }, "/opt/y"),
    [],
  );
  assert.deepEqual(ids({ programs: [{ ...main, user: "nobody:web", workingDirectory: "/no" }] }, "/bin/x"), [
    "error working-directory programs.0.workingDirectory",
    "error user-missing programs.0.user",
    "error user-missing programs.0.user",
  ]);
  const volume = (size?: string): Partial<Descriptor> => ({
    programs: [main],
    volumes: [{ path: "/data", initial: "copy", size }],
  });
  assert.deepEqual(ids(volume(), "/bin/x"), ["error volume-empty volumes.0"]);
  assert.deepEqual(ids(volume(), "/bin/x", "/data/"), ["error volume-empty volumes.0"]);
  assert.deepEqual(ids(volume("0"), "/bin/x"), []);
});

test("what must not be in the package is found", () => {
  const secrets = [{ delivery: "mount", path: "/key", required: true }] as const;
  assert.deepEqual(ids({ programs: [main], secrets }, "/bin/x", "/key!"), [
    "error secret-in-layer secrets.0.path",
  ]);
  assert.deepEqual(ids({ programs: [main] }, "/bin/x", "/boot/vmlinuz"), ["error kernel-part "]);
});

test("a secret in a layer is an error where it is listed, else a warning", () => {
  const secrets = [{ delivery: "mount" as const, path: "/etc/shadow", required: true }];
  assert.deepEqual(ids({ programs: [main] }, "/bin/x", "/etc/shadow"), ["warning secret-not-listed "]);
  assert.deepEqual(ids({ programs: [main], secrets }, "/bin/x", "/etc/shadow"), [
    "error secret-in-layer secrets.0.path",
  ]);
});

test("services that will not start as written are found", () => {
  const services = [
    { name: "db", program: "main", startup: "manual" as const },
    { name: "web", program: "main", after: ["db"], readiness: { port: 81 } },
  ];
  assert.deepEqual(ids({ programs: [main], services, ports: [{ port: 80, protocol: "tcp" }] }, "/bin/x"), [
    "warning service-order services.1.after.0",
    "warning readiness-port services.1.readiness.port",
  ]);
  assert.deepEqual(
    ids(
      {
        programs: [
          { ...main, name: "a" },
          { ...main, name: "b" },
        ],
      },
      "/bin/x",
    ),
    ["warning nothing-starts programs"],
  );
  assert.deepEqual(ids({ programs: [main], links: ["other"], excludes: ["calc"] }, "/bin/x"), [
    "warning not-carried-out excludes",
  ]);
  assert.deepEqual(ids({ programs: [main], shortcuts: [{ name: "s", program: "mian" }] }, "/bin/x"), [
    "error dangling-program shortcuts.0.program",
  ]);
});
