// The validation programs for OCI runtimes: what they find in our instances and bundles they find in runc's own too, and no more.
// In long runs alone: their sources and a Go compiler are nothing that else is needed here.
import assert from "node:assert/strict";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { findInstance } from "../../src/runtime/find.ts";
import { soaking } from "../support/counts.ts";
import {
  type Findings,
  findings,
  type OciConfig,
  ValidationPrograms,
  whyNoValidation,
} from "../support/oci-validation.ts";
import { type Fixture, makeFixture, makePackage, whyNot } from "./runtime-fixture.ts";

const skip = whyNot() ?? whyNoValidation() ?? false;

/** Each changes something that runtimetest looks at. */
const flags: readonly (readonly string[])[] = [
  [],
  ["--network", "none"],
  ["--read-only"],
  ["--user", "33:44"],
  ["--cap-drop", "ALL", "--cap-add", "CHOWN"],
  ["--memory", "64m", "--pids-limit", "50", "--cpus", "0.5"],
  ["--ulimit", "nproc=100:200", "--hostname", "other"],
  ["--shm-size", "8m"],
  ["--userns", "auto"],
];
const waiting =
  "while ! [ -f /srv/told/config.json ]; do sleep 0.05; done; exec /runtimetest --path=/srv/told";

if (soaking)
  describe("validation programs for OCI runtimes", { skip, timeout: 3_000_000 }, () => {
    let fixture: Fixture;
    let scratch: string;
    let programs: ValidationPrograms;

    before(async () => {
      scratch = mkdtempSync(join(tmpdir(), "tranship-validation-"));
      programs = new ValidationPrograms(join(scratch, "tools"));
      fixture = await makeFixture();
      await makePackage(fixture.root, "box:1", {
        prepare: (tree) => {
          cpSync(programs.runtimetest, join(tree, "runtimetest"));
          chmodSync(join(tree, "runtimetest"), 0o755);
        },
      });
    });
    after(async () => {
      await fixture.clean();
      await fixture.remove();
      programs.removeGroups();
      rmSync(scratch, { recursive: true, force: true });
    });

    async function cli(env: Record<string, string>, ...words: string[]): Promise<string> {
      const { status, stdout, stderr } = await fixture.cli(words, { env });
      assert.equal(status, 0, `${words.join(" ")}: ${stderr}`);
      return stdout.trim();
    }

    /** Our configuration of an instance with these flags, and what runtimetest finds in the instance. `alter`: in the configuration that it is told. */
    async function inInstance(
      runtime: string,
      given: readonly string[],
      alter: (config: OciConfig) => void = () => {},
    ): Promise<{ config: OciConfig; found: Findings }> {
      const env = { TRANSHIP_RUNTIME: runtime };
      const told = mkdtempSync(join(scratch, "told-"));
      const bind = ["-v", `${told}:/srv/told`];
      await cli(env, "run", "-d", "--name", "judged", ...bind, ...given, "box:1", "sh", "-c", waiting);
      const { paths } = findInstance(fixture.root, "judged");
      const config = JSON.parse(
        readFileSync(join(paths.directory, "bundle/config.json"), "utf8"),
      ) as OciConfig;
      const asked = structuredClone(config);
      withoutInit(asked);
      alter(asked);
      chmodSync(told, 0o755);
      writeFileSync(join(told, "part"), JSON.stringify(asked));
      cpSync(join(told, "part"), join(told, "config.json"));
      await cli(env, "wait", "judged");
      const output = await cli(env, "logs", "judged");
      await cli(env, "rm", "judged");
      const found = findings(output);
      assert.ok(found.passed > 250, `${runtime} ${given.join(" ")}: it judged ${found.passed}: ${output}`);
      return { config, found };
    }

    /** What it finds in a bundle by `runc spec`, for a program of the same user with the same capabilities and limits: the kernel and Go itself change those at execve. */
    async function inOwnBundle({ user, capabilities, rlimits }: OciConfig["process"]): Promise<Findings> {
      const bundle = mkdtempSync(join(scratch, "bundle-"));
      const layers = fixture.root.layers;
      cpSync(join(layers, readdirSync(layers)[0] ?? "", "fs"), join(bundle, "rootfs"), {
        recursive: true,
        verbatimSymlinks: true,
      });
      assert.equal((await fixture.inside(["runc", "spec", "--bundle", bundle])).status, 0);
      const config = JSON.parse(readFileSync(join(bundle, "config.json"), "utf8")) as OciConfig;
      Object.assign(config.process, {
        args: ["/runtimetest", "--path=/told"],
        terminal: false,
        user,
        capabilities,
        rlimits,
      });
      const text = JSON.stringify(config);
      mkdirSync(join(bundle, "rootfs/told"));
      writeFileSync(join(bundle, "rootfs/told/config.json"), text);
      writeFileSync(join(bundle, "config.json"), text);
      const { stdout, stderr } = await fixture.inside(["runc", "run", "--bundle", bundle, "tranship-judged"]);
      const found = findings(stdout);
      assert.ok(found.passed > 250, stderr);
      return found;
    }

    for (const runtime of ["runc", "crun"])
      it(`runtimetest finds in instances under ${runtime} what it finds in a bundle by runc spec`, async () => {
        for (const given of flags) {
          const { config, found } = await inInstance(runtime, given);
          const own = await inOwnBundle(config.process);
          const more = [...found.failed].filter((line) => !own.failed.has(line));
          assert.deepEqual(more, [], `${given.join(" ")}: runc's own: ${[...own.failed].join("; ")}`);
        }
      });

    it("runtimetest notices what is not so", async () => {
      const { found } = await inInstance("runc", [], (config) => {
        config.hostname = "nobody";
        config.linux.maskedPaths?.push("/etc/passwd");
        config.process.env.push("ABSENT=yes");
        config.process.user = { uid: 7, gid: 0 };
      });
      for (const line of [
        "has expected hostname",
        'cannot read masked path "/etc/passwd"',
        "has expected environment variable ABSENT",
        "has expected user ID",
      ])
        assert.ok(found.failed.has(line), `${line}: ${[...found.failed]}`);
    });

    it("the suite finds no more wrong with runc when it starts from our configuration", async () => {
      const { config } = await inInstance("runc", []);
      const base = join(scratch, "base.json");
      programs.build(false);
      const own = new Map(programs.names().map((name) => [name, programs.validate(name)]));
      programs.build(true);
      const lines: string[] = [];
      let passed = 0;
      for (const [name, { failed }] of own) {
        writeFileSync(base, JSON.stringify(baseFor(name, config)));
        const ours = programs.validate(name, base);
        passed += ours.passed;
        const more = [...ours.failed].filter((line) => !failed.has(line));
        if (more.length === 0) continue;
        // runc itself, held to a GiB of addresses, does not always start where much else runs.
        console.log(`# validation: ${name} once more: ${more.join("; ")}`);
        const again = programs.validate(name, base).failed;
        for (const line of more) if (again.has(line)) lines.push(`${name}: ${line}`);
      }
      console.log(
        `# validation: ${own.size} programs; runc's own: ${[...own.values()].reduce((sum, one) => sum + one.failed.size, 0)} findings; ${passed} judgements passed with our configuration`,
      );
      assert.deepEqual(lines, []);
    });
  });

/** The program is started by init, which takes its own words and variables away. */
function withoutInit(config: OciConfig): void {
  config.process.args = ["/runtimetest", "--path=/srv/told"];
  config.process.env = config.process.env.filter((one) => !one.startsWith("TRANSHIP_"));
}

/** What a program asks for that our bundles never have together; each says why. */
const changes: Readonly<Record<string, (config: OciConfig) => void>> = {
  // They take namespaces away one by one; masked paths need that of mounts, the domain's name that of the host's name.
  linux_ns_itype: withoutKernelFiles,
  linux_ns_nopath: withoutKernelFiles,
  // With a user namespace the domain's name is not set by the OCI runtime in our bundles either.
  linux_uid_mappings: (config) => {
    delete config.linux.sysctl;
  },
  // Its other user keeps capabilities by ambient ones alone, which ours have none of, as docker's.
  process_user: ({ process: { capabilities } }) => {
    const held = capabilities as Record<string, string[]>;
    held.inheritable = held.ambient = held.bounding ?? [];
  },
  // They take the kernel's list for their own rules behind one that denies all.
  linux_cgroups_devices: withoutDevices,
  linux_cgroups_relative_devices: withoutDevices,
};

function withoutKernelFiles(config: OciConfig): void {
  delete config.linux.sysctl;
  delete config.linux.maskedPaths;
  delete config.linux.readonlyPaths;
}

function withoutDevices({ linux: { resources } }: OciConfig): void {
  const given = resources as { devices: object[] };
  given.devices = given.devices.slice(0, 1);
}

/** Ours as what a program of the suite changes: without what lies in the state root, and with nobody to tell what the filter refuses. */
function baseFor(name: string, ours: OciConfig): OciConfig {
  const config = structuredClone(ours);
  const { cgroupsPath: _, seccomp, ...linux } = config.linux;
  const { listenerPath: _path, listenerMetadata: _metadata, ...filter } = seccomp ?? { syscalls: [] };
  for (const rule of filter.syscalls) if (rule.action === "SCMP_ACT_NOTIFY") rule.action = "SCMP_ACT_ERRNO";
  const own = linux.namespaces.filter((one) => one.type !== "network");
  // Go raises its own soft limit of open files at its start, so that runtimetest never sees a lower one.
  const rlimits = (config.process.rlimits ?? []).map((one) => ({ ...one, soft: one.hard }));
  const base = {
    ...config,
    process: { ...config.process, args: ["/runtimetest", "--path=/"], rlimits },
    root: { path: ".", readonly: false },
    mounts: config.mounts.filter(({ type }) => type !== "bind"),
    linux: { ...linux, seccomp: filter, namespaces: [...own, { type: "network" }] },
  };
  changes[name]?.(base);
  return base;
}
