// What is run under each tracer: commands that end, and servers under a steady load.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

export interface Workload {
  name: string;
  command: readonly string[];
  cwd: string;
  /** Before each run; not counted. */
  prepare?: () => void;
  /** Whether the run did what it does untraced. */
  check: (output: string) => boolean;
  /** A server: how it is loaded, giving requests a second, and ended. */
  port?: number;
  load?: () => Promise<number>;
  stop?: () => void;
}

function files(dir: string, folders: number, each: number, ending: string): void {
  for (let folder = 0; folder < folders; folder++) {
    mkdirSync(join(dir, String(folder)), { recursive: true });
    for (let file = 0; file < each; file++) {
      writeFileSync(join(dir, String(folder), `${file}${ending}`), `${folder} ${file}\n`.repeat(40));
    }
  }
}

/** Commands that end, in `top`. */
export function commandWorkloads(top: string): Workload[] {
  const many = join(top, "many");
  const sources = join(top, "sources");
  files(many, 30, 100, "");
  mkdirSync(sources);
  const build: string[] = [];
  for (let i = 0; i < 25; i++) {
    writeFileSync(
      join(sources, `f${i}.c`),
      `#include <stdio.h>\n#include <stdlib.h>\nint f${i}(int a) { return a + ${i}; }\n`,
    );
    build.push(`gcc -O1 -c f${i}.c -o f${i}.o`);
  }
  writeFileSync(join(sources, "build.sh"), `set -e\n${build.join("\n")}\nar rc lib.a f*.o\nls *.o | wc -l\n`);
  return [
    {
      name: "python3 start, imports json ssl sqlite3",
      command: ["/usr/bin/python3", "-c", "import json, ssl, sqlite3; print('done')"],
      cwd: top,
      check: (output) => output.includes("done"),
    },
    {
      name: "find and stat of 3,000 files",
      command: ["find", many, "-type", "f", "-size", "+0", "-printf", "."],
      cwd: top,
      check: (output) => output.includes(".".repeat(3000)),
    },
    {
      name: "gcc build of 25 files",
      command: ["sh", "build.sh"],
      cwd: sources,
      check: (output) => /(^|\n)25\n/.test(output),
    },
  ];
}

export function run(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.on("data", (bytes: Buffer) => {
      text += bytes.toString();
    });
    child.on("error", reject);
    child.on("close", () => resolve(text));
  });
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

const nginxConfiguration = (dir: string, port: number): string => `
daemon off; worker_processes 1; pid ${dir}/pid; error_log ${dir}/error.log;
events { worker_connections 64; }
http { access_log off; sendfile on; keepalive_requests 1000000;
  client_body_temp_path ${dir}/t1; proxy_temp_path ${dir}/t2; fastcgi_temp_path ${dir}/t3;
  uwsgi_temp_path ${dir}/t4; scgi_temp_path ${dir}/t5;
  server { listen 127.0.0.1:${port}; root ${dir}/pages; } }
`;

const everyPage = `
local i = 0
request = function() i = (i + 1) % 5000; return wrk.format("GET", "/" .. (i % 50) .. "/" .. math.floor(i / 50) .. ".html") end
`;

async function nginx(top: string): Promise<Workload> {
  const dir = join(top, "nginx");
  const port = await freePort();
  files(join(dir, "pages"), 50, 100, ".html");
  writeFileSync(join(dir, "conf"), nginxConfiguration(dir, port));
  writeFileSync(join(dir, "every.lua"), everyPage);
  return {
    name: "nginx, 5,000 static files, wrk -c8",
    command: ["nginx", "-c", join(dir, "conf")],
    port,
    cwd: top,
    check: () => true,
    load: async () => {
      const url = `http://127.0.0.1:${port}/`;
      const text = await run("wrk", ["-c8", "-t1", "-d3s", "-s", join(dir, "every.lua"), url]);
      if (/Non-2xx|Socket errors/.test(text)) return 0;
      return Number(/Requests\/sec:\s*([\d.]+)/.exec(text)?.[1] ?? 0);
    },
    stop: () => process.kill(Number(readFileSync(join(dir, "pid"), "utf8")), "SIGTERM"),
  };
}

async function redis(top: string): Promise<Workload> {
  const free = await freePort();
  const port = String(free);
  const flags = ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1"];
  return {
    name: "redis GET, 8 clients",
    command: ["redis-server", "--port", port, ...flags],
    port: free,
    cwd: top,
    check: () => true,
    load: async () => {
      const text = await run("redis-benchmark", ["-p", port, "-c", "8", "-n", "60000", "-t", "get", "--csv"]);
      return Number(/"GET","([\d.]+)"/.exec(text)?.[1] ?? 0);
    },
    stop: () => {
      spawnSync("redis-cli", ["-p", port, "shutdown", "nosave"]);
    },
  };
}

export async function serverWorkloads(top: string): Promise<Workload[]> {
  return [await nginx(top), await redis(top)];
}
