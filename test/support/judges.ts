// Other people's tools as judges of what we make: skopeo, umoci and podman, in the fixture's namespaces and with storage of their
// own, so that they leave nothing on the host.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Fixture } from "../integration/runtime-fixture.ts";

export const whyNoJudges: string | undefined = ["skopeo", "umoci", "podman", "runc"]
  .filter((name) => !["/usr/bin", "/usr/sbin"].some((directory) => existsSync(join(directory, name))))
  .map((name) => `needs ${name}`)[0];

export interface Judges {
  /** Runs one of them; its status has to be 0. Returns its standard output. */
  run(program: string, ...args: readonly string[]): Promise<string>;
  /** Removes what podman leaves outside of its storage: empty control groups. */
  close(): void;
}

/** The parent of podman's control groups, in each hierarchy. */
function podmanGroups(): string[] {
  const top = "/sys/fs/cgroup";
  return ["", ...readdirSync(top)]
    .map((name) => join(top, name, "libpod_parent"))
    .filter((path) => existsSync(path));
}

/** directory: for their storage; removed by the caller after the fixture. */
export async function makeJudges(fixture: Fixture, directory: string): Promise<Judges> {
  mkdirSync(directory, { recursive: true });
  // The defaults need more rights and other control groups than a test host has to have.
  const files = {
    "containers.conf": `[containers]
default_ulimits = ["nofile=20000:20000", "nproc=30000:30000"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
tmp_dir = "${directory}/tmp"
`,
    "storage.conf": `[storage]
driver = "overlay"
runroot = "${directory}/run"
graphroot = "${directory}/graph"
`,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  // They keep caches in directories of the host that no setting moves.
  const hidden = ["/var/lib/containers", "/run/libpod", "/run/containers"].filter((path) => existsSync(path));
  for (const path of hidden) {
    const mounted = await fixture.inside(["mount", "-t", "tmpfs", "tmpfs", path]);
    assert.equal(mounted.status, 0, mounted.stderr);
  }
  const groups = podmanGroups();
  const env = {
    CONTAINERS_CONF: join(directory, "containers.conf"),
    CONTAINERS_STORAGE_CONF: join(directory, "storage.conf"),
  };
  return {
    run: async (program, ...args) => {
      const { status, stdout, stderr } = await fixture.inside([program, ...args], { env });
      assert.equal(status, 0, `${program} ${args.join(" ")}: ${stdout}${stderr}`);
      return stdout;
    },
    close: () => {
      for (const path of podmanGroups().filter((one) => !groups.includes(one)))
        for (const directory of [join(path, "conmon"), path]) removeEmpty(directory);
    },
  };
}

/** One in which another podman of this host has put something is no longer ours. */
function removeEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    if (!["EBUSY", "ENOTEMPTY", "ENOENT"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}
