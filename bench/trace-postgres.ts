// PostgreSQL under a tracer: initdb, and pgbench on a server. Both drop from root to the user postgres while traced.
import { spawnSync } from "node:child_process";
import { chownSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { freePort, run, type Workload } from "./trace-workloads.ts";

const versions = "/usr/lib/postgresql";

function output(command: string, ...args: string[]): string {
  const done = spawnSync(command, args, { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`${command} ${args.join(" ")}: ${done.error ?? done.stderr}`);
  return done.stdout.trim();
}

/** [] where this host has no PostgreSQL; installed by scripts/setup. */
export async function postgresWorkloads(top: string): Promise<Workload[]> {
  const newest = readdirSync(versions).sort().at(-1);
  const bin = join(versions, newest ?? "", "bin");
  const user = Number(output("id", "-u", "postgres"));
  const group = Number(output("id", "-g", "postgres"));
  const as = [..."setpriv --reuid=postgres --regid=postgres --init-groups".split(" ")];
  const home = join(top, "postgres");
  mkdirSync(home);
  chownSync(home, user, group);
  const initdb = (data: string): string[] => [...as, join(bin, "initdb"), "-A", "trust", "-D", data];
  const data = join(home, "data");
  output(...(initdb(data) as [string, ...string[]]));
  return [
    {
      name: "initdb",
      command: initdb(join(home, "new")),
      cwd: home,
      prepare: () => rmSync(join(home, "new"), { recursive: true, force: true }),
      check: (text) => text.includes("Success"),
    },
    await pgbench({ as, bin, home, data }),
  ];
}

async function pgbench(at: { as: string[]; bin: string; home: string; data: string }): Promise<Workload> {
  const port = await freePort();
  const client = [..."-h 127.0.0.1 -U postgres -p".split(" "), String(port)];
  let made = false;
  return {
    name: "pgbench, 2 clients",
    command: [...at.as, join(at.bin, "postgres"), "-D", at.data, "-p", String(port), "-k", ""],
    port,
    cwd: at.home,
    check: () => true,
    load: async () => {
      // The port is open before the server answers.
      for (let tries = 0; spawnSync(join(at.bin, "pg_isready"), [...client, "-q"]).status !== 0; tries++) {
        if (tries > 300) return 0;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      if (!made) output(join(at.bin, "pgbench"), ...client, "-i", "-q", "postgres");
      made = true;
      const text = await run(join(at.bin, "pgbench"), [...client, "-c2", "-T3", "postgres"]);
      return Number(/tps = ([\d.]+)/.exec(text)?.[1] ?? 0);
    },
    stop: () => {
      const pid = Number(readFileSync(join(at.data, "postmaster.pid"), "utf8").split("\n")[0]);
      process.kill(pid, "SIGINT");
    },
  };
}
