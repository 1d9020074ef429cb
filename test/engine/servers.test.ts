// Servers under the in-process engine, at work, with a clock of ten years ago: what they answer, how they reload, that they end as asked.
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { cannotRun, engine, place } from "../support/engine.ts";

const clock = "--clock-offset=-315360000";
const needsRoot = process.getuid?.() === 0 ? false : "needs root";
const year = new Date().getUTCFullYear() - 10;

interface Server {
  child: ChildProcess;
  said: () => string;
  /** Its status, 128 + n after signal n not told apart: none of them dies of one. */
  stop: (signal: NodeJS.Signals) => Promise<number | null>;
}

function serve(t: TestContext, command: readonly string[], uid?: number): Server {
  const user = uid === undefined ? {} : { uid, gid: uid };
  const child = spawn(engine, [clock, ...command], {
    stdio: ["ignore", "pipe", "pipe"],
    cwd: place,
    ...user,
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (more: string) => {
      text += more;
    });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  t.after(async () => {
    // Workers outlive their master where it is killed.
    if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    await ended;
  });
  const stop = async (signal: NodeJS.Signals): Promise<number | null> => {
    child.kill(signal);
    return await ended;
  };
  return { child, said: () => text, stop };
}

/** Sends text to a socket and returns what came until `end` fits, or it was closed. */
function ask(path: string, text: string, end: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path });
    let got = "";
    const done = (): void => {
      socket.destroy();
      resolve(got);
    };
    socket.setEncoding("latin1").on("data", (more: string) => {
      got += more;
      if (end.test(got)) done();
    });
    socket.on("end", done).on("error", reject).write(text);
  });
}

async function until(ready: () => boolean, what: () => string): Promise<void> {
  for (let n = 0; n < 600; n++) {
    if (ready()) return;
    await sleep(50);
  }
  assert.fail(what());
}

const missing = (path: string): string | false =>
  existsSync(path) ? false : `${path} is not on this machine`;

function postgres(): string {
  const versions = existsSync("/usr/lib/postgresql") ? readdirSync("/usr/lib/postgresql") : [];
  return join("/usr/lib/postgresql", versions.at(-1) ?? "0", "bin");
}

describe("servers", { skip: cannotRun }, () => {
  test("redis answers, saves in a child, and ends", { skip: missing("/usr/bin/redis-server") }, async (t) => {
    const socket = join(place, "redis.sock");
    const server = serve(t, [
      "/usr/bin/redis-server",
      "--port",
      "0",
      "--unixsocket",
      socket,
      "--save",
      "",
      "--dir",
      place,
    ]);
    await until(() => existsSync(socket), server.said);
    const commands = Array.from({ length: 500 }, (_, n) => `SET k${n} ${n}\r\n`).join("");
    assert.match(await ask(socket, `${commands}GET k77\r\nQUIT\r\n`, /\$2\r\n77\r\n\+OK/), /\$2\r\n77/);
    const time = /\*2\r\n\$\d+\r\n(\d+)/.exec(
      await ask(socket, "TIME\r\n", /\r\n\d+\r\n\$\d+\r\n\d+\r\n/),
    )?.[1];
    assert.equal(new Date(Number(time) * 1000).getUTCFullYear(), year);
    await ask(socket, "BGSAVE\r\n", /\r\n/);
    await until(() => existsSync(join(place, "dump.rdb")), server.said);
    assert.equal(await server.stop("SIGTERM"), 0);
  });

  test("nginx serves, reloads its workers, and ends", {
    skip: needsRoot || missing("/usr/sbin/nginx"),
  }, async (t) => {
    const at = join(place, "nginx");
    mkdirSync(at);
    chmodSync(place, 0o755);
    writeFileSync(join(at, "page"), "page\n");
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
      (name) => `${name}_temp_path ${at}/t;`,
    );
    const socket = join(at, "sock");
    writeFileSync(
      join(at, "conf"),
      `daemon off; worker_processes 2; pid ${at}/pid; error_log ${at}/errors; events { worker_connections 1024; }
      http { access_log ${at}/access; ${temporary.join(" ")} server { listen unix:${socket}; root ${at}; } }`,
    );
    const server = serve(t, ["/usr/sbin/nginx", "-e", `${at}/errors`, "-c", `${at}/conf`]);
    await until(() => existsSync(socket), server.said);
    const get = async (): Promise<string> => await ask(socket, "GET /page HTTP/1.0\r\n\r\n", /page\n$/);
    const first = await get();
    assert.match(first, /^HTTP\/1\.1 200 OK/);
    assert.equal(new Date(/Date: (.*)\r/.exec(first)?.[1] ?? "").getUTCFullYear(), year);
    server.child.kill("SIGHUP");
    const answers = await Promise.all(Array.from({ length: 200 }, get));
    assert.ok(answers.every((answer) => answer.startsWith("HTTP/1.1 200 OK")));
    assert.equal(await server.stop("SIGQUIT"), 0);
    assert.equal(readFileSync(join(at, "access"), "utf8").trim().split("\n").length, 201);
  });

  test("PostgreSQL makes a database, works, and ends", {
    skip: needsRoot || missing(join(postgres(), "postgres")),
  }, async (t) => {
    const at = join(place, "pg");
    mkdirSync(at);
    chmodSync(place, 0o755);
    chownSync(at, 65534, 65534);
    const nobody = { uid: 65534, gid: 65534 } as const;
    const made = spawnSync(
      engine,
      [clock, join(postgres(), "initdb"), "-D", join(at, "data"), "-U", "me", "--no-sync", "--locale=C"],
      {
        ...nobody,
        encoding: "utf8",
        cwd: at,
      },
    );
    assert.equal(made.status, 0, made.stderr);
    const server = serve(
      t,
      [join(postgres(), "postgres"), "-D", join(at, "data"), "-h", "", "-k", at, "-F"],
      65534,
    );
    await until(() => server.said().includes("ready to accept"), server.said);
    const query =
      "create table t as select generate_series(1, 20000) x; select count(*), sum(x), extract(year from now()) from t";
    const told = execFileSync(join(postgres(), "psql"), ["-h", at, "-U", "me", "-Atqc", query, "postgres"], {
      encoding: "utf8",
    });
    assert.equal(told, `20000|200010000|${year}\n`);
    assert.equal(await server.stop("SIGINT"), 0);
  });
});
