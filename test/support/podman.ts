// podman on a store of its own, without systemd: what it has to be told, and what it leaves on the host.
import { existsSync, readdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** Of containers.conf. */
export const podmanSettings = `[containers]
default_ulimits = ["nofile=1024:1024","nproc=1024:1024"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
`;

/** It keeps its empty parent cgroup in every hierarchy: removed where it was not there before. */
export function removeParentGroups(t: TestContext): void {
  const directories = readdirSync("/sys/fs/cgroup").map((name) => `/sys/fs/cgroup/${name}/libpod_parent`);
  const made = directories.filter((directory) => !existsSync(directory));
  t.after(() => {
    for (const directory of made) {
      for (const each of [join(directory, "conmon"), directory]) if (existsSync(each)) rmdirSync(each);
    }
  });
}
