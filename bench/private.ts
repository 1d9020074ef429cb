// Where benches of instances run: network and mount namespaces of their own, so that bridges and rules of ours and of the peers stay away
// from the host, and a scratch directory that goes with them.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// crun refuses a hybrid of cgroup v1 and v2 whose v2 tree offers controllers.
const script = `mount --make-rprivate / && ip link set lo up &&
  c=/sys/fs/cgroup/unified/cgroup.controllers; [ -z "$(cat $c 2>/dev/null)" ] || mount --bind /dev/null $c
  exec "$@"`;

/** Runs this program again in namespaces of its own, and `work` there. State of ours lies in `root` of the scratch directory, of podman in `podman`. */
export async function inPrivate(work: (scratch: string) => Promise<void>): Promise<void> {
  if (process.env.TRANSHIP_BENCH_INSIDE !== "1") {
    // A CA file in the environment costs every start of Node some 50 ms and has nothing to do with us.
    const { NODE_EXTRA_CA_CERTS: _, ...environment } = process.env;
    const result = spawnSync(
      "unshare",
      ["-n", "-m", "sh", "-c", script, "sh", process.execPath, ...process.argv.slice(1)],
      {
        stdio: "inherit",
        env: { ...environment, TRANSHIP_BENCH_INSIDE: "1", TRANSHIP_NETWORK_LINGER: "3600" },
      },
    );
    process.exit(result.status ?? 1);
  }
  const scratch = mkdtempSync(join(tmpdir(), "tranship-bench-"));
  // Servers that are no root's reach what is theirs.
  chmodSync(scratch, 0o711);
  try {
    await work(scratch);
  } finally {
    stopWaiting(scratch);
    // podman leaves its store mounted.
    spawnSync("umount", ["-l", join(scratch, "podman/overlay")], { stdio: "ignore" });
    rmSync(scratch, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

/** The process that would take the bridge down: it goes with this namespace anyway. */
function stopWaiting(scratch: string): void {
  try {
    const pid = Number.parseInt(readFileSync(join(scratch, "root/network/waiter"), "latin1"), 10);
    if (pid > 0) process.kill(pid, "SIGKILL");
  } catch {} // no run had a bridge, or it has ended
}
