// nginx, redis and PostgreSQL of this host, how each is started and loaded. The same programs run natively and, copied, in a package.
import { execFileSync, spawnSync } from "node:child_process";
import { chownSync, cpSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./trace-workloads.ts";

/** Who PostgreSQL runs as; of the package's /etc/passwd. */
export const plainUser = { uid: 33, gid: 44 };

export interface Server {
  name: string;
  /** Started as `plainUser` instead of root. */
  plain: boolean;
  /** `home`: where its files are, as it sees them. */
  command: (home: string, port: number) => string[];
  ready: (address: string, port: number) => boolean;
  loads: readonly { name: string; rate: (address: string, port: number) => Promise<number> }[];
}

const pages = { folders: 50, each: 100 };

const nginxSettings = (home: string, port: number): string => {
  const kept = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const own = kept.map((name) => `${name}_temp_path ${home}/settings/${name};`).join(" ");
  return `
daemon off; worker_processes 1; user root; pid ${home}/settings/pid; error_log /dev/null;
events { worker_connections 64; }
http { access_log off; sendfile on; keepalive_requests 1000000; ${own}
  server { listen 0.0.0.0:${port}; root ${home}/pages; } }
`;
};

const everyPage = `
local i = 0
request = function() i = (i + 1) % 5000; return wrk.format("GET", "/" .. (i % 50) .. "/" .. math.floor(i / 50) .. ".html") end
`;

/** The root file system of the package gets the programs with what they load, and the pages of nginx. */
export function addServers(tree: string): void {
  const postgres = postgresBin();
  const programs = ["/usr/sbin/nginx", "/usr/bin/redis-server", join(postgres, "postgres")];
  const loaded = programs.flatMap((program) =>
    execFileSync("ldd", [program], { encoding: "utf8" }).match(/\/\S+(?= \()/g),
  );
  const files = [...new Set([...programs, ...loaded.filter((path) => path !== null)])];
  execFileSync("cp", ["-L", "--parents", ...files, tree]);
  const version = postgres.split("/").at(-2) ?? "";
  const own = [
    "usr/lib/postgresql/VERSION/lib",
    "usr/share/postgresql/VERSION",
    "usr/share/zoneinfo/Etc/UTC",
  ];
  for (const path of own.map((one) => one.replace("VERSION", version)))
    cpSync(join("/", path), join(tree, path), { recursive: true, dereference: true });
  for (const name of ["var/log/nginx", "srv/home"]) mkdirSync(join(tree, name), { recursive: true });
  makePages(join(tree, "srv/home"));
}

export function makePages(home: string): void {
  for (let folder = 0; folder < pages.folders; folder++) {
    const directory = join(home, "pages", String(folder));
    mkdirSync(directory, { recursive: true });
    for (let page = 0; page < pages.each; page++)
      writeFileSync(join(directory, `${page}.html`), `${folder} ${page}\n`.repeat(40));
  }
}

export function writeNginxSettings(directory: string, home: string, port: number): void {
  writeFileSync(join(directory, "nginx.conf"), nginxSettings(home, port));
}

export function postgresBin(): string {
  const versions = "/usr/lib/postgresql";
  return join(versions, readdirSync(versions).sort().at(-1) ?? "", "bin");
}

/** A data directory that is copied for each way. */
export function makeDatabase(path: string): void {
  mkdirSync(path, { mode: 0o700 });
  chownSync(path, plainUser.uid, plainUser.gid);
  const words = [
    ...asPlain,
    join(postgresBin(), "initdb"),
    "-A",
    "trust",
    "-U",
    "bench",
    "-N",
    "--no-locale",
    "-D",
    path,
  ];
  execFileSync(words[0] ?? "", words.slice(1), { stdio: ["ignore", "ignore", "inherit"], cwd: "/" });
  writeFileSync(join(path, "pg_hba.conf"), "host all all 0.0.0.0/0 trust\n");
}

export function copyDatabase(from: string, to: string): void {
  execFileSync("cp", ["-a", from, to]);
}

export const asPlain: readonly string[] = [
  "setpriv",
  `--reuid=${plainUser.uid}`,
  `--regid=${plainUser.gid}`,
  "--clear-groups",
];

const succeeds = (command: string, ...args: string[]): boolean => spawnSync(command, args).status === 0;

function pgbench(name: string, seconds: number, flags: readonly string[]): Server["loads"][number] {
  return {
    name,
    rate: async (address, port) => {
      const at = ["-h", address, "-p", String(port), "-U", "bench"];
      const program = join(postgresBin(), "pgbench");
      if (!succeeds(join(postgresBin(), "psql"), ...at, "-d", "postgres", "-c", "TABLE pgbench_branches"))
        execFileSync(program, [...at, "-i", "-q", "-s", "5", "postgres"], { stdio: "ignore" });
      const text = await run(program, [...at, "-n", "-c4", `-T${seconds}`, ...flags, "postgres"]);
      return Number(/tps = ([\d.]+)/.exec(text)?.[1] ?? Number.NaN);
    },
  };
}

function wrk(name: string, seconds: number, script: string | undefined): Server["loads"][number] {
  return {
    name,
    rate: async (address, port) => {
      const url = `http://${address}:${port}/0/0.html`;
      const flags = ["-c8", "-t1", `-d${seconds}s`, ...(script === undefined ? [] : ["-s", script])];
      const text = await run("wrk", [...flags, url]);
      if (/Non-2xx|Socket errors/.test(text)) return Number.NaN;
      return Number(/Requests\/sec:\s*([\d.]+)/.exec(text)?.[1] ?? Number.NaN);
    },
  };
}

function redis(name: string, test: string): Server["loads"][number] {
  return {
    name,
    rate: async (address, port) => {
      const flags = ["-h", address, "-p", String(port), "-c", "8", "-n", "60000", "-t", test, "--csv"];
      const text = await run("redis-benchmark", flags);
      return Number(new RegExp(`"${test.toUpperCase()}","([\\d.]+)"`).exec(text)?.[1] ?? Number.NaN);
    },
  };
}

/** `scratch`: for what the loads need. */
export function servers(scratch: string, seconds: number): Server[] {
  const script = join(scratch, "every.lua");
  writeFileSync(script, everyPage);
  const open = (address: string, port: number): boolean =>
    succeeds("busybox", "nc", "-w", "1", address, String(port), "-e", "true");
  return [
    {
      name: "nginx",
      plain: false,
      command: (home) => ["/usr/sbin/nginx", "-c", `${home}/settings/nginx.conf`],
      ready: open,
      loads: [wrk("nginx, one page", seconds, undefined), wrk("nginx, 5,000 pages", seconds, script)],
    },
    {
      name: "redis",
      plain: false,
      command: (_, port) => [
        "/usr/bin/redis-server",
        ..."--save  --appendonly no --protected-mode no --bind 0.0.0.0 --port".split(" "),
        String(port),
      ],
      ready: open,
      loads: [redis("redis GET", "get"), redis("redis SET", "set")],
    },
    {
      name: "postgres",
      plain: true,
      command: (home, port) => [
        join(postgresBin(), "postgres"),
        ...["-D", `${home}/data`, "-p", String(port), "-k", "", "-c", "listen_addresses=0.0.0.0"],
        ...["-c", "jit=off", "-c", "timezone=Etc/UTC", "-c", "log_timezone=Etc/UTC"],
      ],
      ready: (address, port) =>
        succeeds(
          join(postgresBin(), "pg_isready"),
          "-q",
          "-U",
          "bench",
          "-d",
          "postgres",
          "-h",
          address,
          "-p",
          String(port),
        ),
      loads: [pgbench("pgbench -S", seconds, ["-S"]), pgbench("pgbench", seconds, [])],
    },
  ];
}
