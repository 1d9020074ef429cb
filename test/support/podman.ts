// podman on a store of its own, without systemd: what it has to be told, and what it leaves on the host.
import type { TestContext } from "node:test";
import { cgroupDirectories, removeCgroup } from "../../src/host/cgroup.ts";

/** Of containers.conf. */
export const podmanSettings = `[containers]
default_ulimits = ["nofile=1024:1024","nproc=1024:1024"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
`;

/** It keeps its parent cgroup, and those of pods in hierarchies without controllers: removed where there was none before. */
export function removeParentGroups(t: TestContext): void {
  if (cgroupDirectories(parent).length > 0) return;
  t.after(() => removeCgroup(parent));
}

const parent = "libpod_parent";
