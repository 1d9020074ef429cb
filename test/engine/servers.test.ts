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
  rmSync,
  writeFileSync,
} from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { soaking, times } from "../support/counts.ts";
import { cannotRun, engine, place } from "../support/engine.ts";

const clock = "--clock-offset=-315360000";
const needsRoot = process.getuid?.() === 0 ? false : "needs root";
const year = new Date().getUTCFullYear() - 10;
const rounds = soaking ? 1000 : 20;

interface Server {
  child: ChildProcess;
  said: () => string;
  /** Its status, 128 + n after signal n not told apart: none of them dies of one. */
  stop: (signal: NodeJS.Signals) => Promise<number | null>;
}

/** How a call is caught, in turn. */
const options = (round: number): string[] => (round % 5 === 4 ? [clock, "--trap=seccomp"] : [clock]);

function serve(t: TestContext, round: number, command: readonly string[], uid?: number): Server {
  const child = spawn(engine, [...options(round), ...command], {
    stdio: ["ignore", "pipe", "pipe"],
    cwd: place,
    detached: true,
    ...(uid === undefined ? {} : { uid, gid: uid }),
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
function ask(where: string | { host: string; port: number }, text: string, end: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(typeof where === "string" ? { path: where } : where);
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
  for (let n = 0; n < 6000; n++) {
    if (ready()) return;
    await sleep(5);
  }
  assert.fail(what());
}

const missing = (path: string): string | false =>
  existsSync(path) ? false : `${path} is not on this machine`;

function postgres(): string {
  const versions = existsSync("/usr/lib/postgresql") ? readdirSync("/usr/lib/postgresql") : [];
  return join("/usr/lib/postgresql", versions.at(-1) ?? "0", "bin");
}

const apacheModules = "/usr/lib/apache2/modules";
const php = join(
  apacheModules,
  (existsSync(apacheModules) ? readdirSync(apacheModules) : []).find((name) =>
    /^libphp[\d.]*\.so$/.test(name),
  ) ?? "libphp.so",
);
const nobody = 65_534;

function apacheConfiguration(at: string, mpm: string, withPhp: boolean): string {
  const modules = [`mpm_${mpm}`, "authz_core", "dir", "mime", ...(withPhp ? ["php"] : [])];
  const load = modules.map(
    (name) => `LoadModule ${name}_module ${name === "php" ? php : join(apacheModules, `mod_${name}.so`)}\n`,
  );
  return `${load.join("")}ServerRoot ${at}
ServerName localhost
PidFile ${at}/pid
ErrorLog ${at}/errors
DefaultRuntimeDir ${at}
Mutex file:${at}
User nobody
Group nogroup
DocumentRoot ${at}
StartServers 2
TypesConfig /etc/mime.types
${withPhp ? "<FilesMatch php$>\n  SetHandler application/x-httpd-php\n</FilesMatch>\n" : ""}`;
}

describe("servers", { skip: cannotRun }, () => {
  test("redis answers, saves in a child, and ends", { skip: missing("/usr/bin/redis-server") }, async (t) => {
    const [socket, dump] = [join(place, "redis.sock"), join(place, "dump.rdb")];
    const words = ["--port", "0", "--unixsocket", socket, "--save", "", "--dir", place];
    await times(rounds, "redis", async (round) => {
      for (const left of [socket, dump]) rmSync(left, { force: true });
      const server = serve(t, round, ["/usr/bin/redis-server", ...words]);
      // The socket is there before it listens.
      await until(() => server.said().includes("ready to accept connections"), server.said);
      const commands = Array.from({ length: 500 }, (_, n) => `SET k${n} ${n}\r\n`).join("");
      assert.match(await ask(socket, `${commands}GET k77\r\nQUIT\r\n`, /\$2\r\n77\r\n\+OK/), /\$2\r\n77/);
      const time = /\*2\r\n\$\d+\r\n(\d+)/.exec(
        await ask(socket, "TIME\r\n", /\r\n\d+\r\n\$\d+\r\n\d+\r\n/),
      )?.[1];
      assert.equal(new Date(Number(time) * 1000).getUTCFullYear(), year);
      await ask(socket, "BGSAVE\r\n", /\r\n/);
      await until(() => existsSync(dump), server.said);
      assert.equal(await server.stop("SIGTERM"), 0);
    });
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
    const [socket, access] = [join(at, "sock"), join(at, "access")];
    writeFileSync(
      join(at, "conf"),
      `daemon off; worker_processes 2; pid ${at}/pid; error_log ${at}/errors; events { worker_connections 1024; }
      http { access_log ${access}; ${temporary.join(" ")} server { listen unix:${socket}; root ${at}; } }`,
    );
    await times(rounds, "nginx", async (round) => {
      for (const left of [socket, access]) rmSync(left, { force: true });
      const server = serve(t, round, ["/usr/sbin/nginx", "-e", `${at}/errors`, "-c", `${at}/conf`]);
      await until(() => existsSync(join(at, "pid")), server.said);
      const get = async (): Promise<string> => await ask(socket, "GET /page HTTP/1.0\r\n\r\n", /page\n$/);
      const first = await get();
      assert.match(first, /^HTTP\/1\.1 200 OK/);
      assert.equal(new Date(/Date: (.*)\r/.exec(first)?.[1] ?? "").getUTCFullYear(), year);
      server.child.kill("SIGHUP");
      const answers = await Promise.all(Array.from({ length: 200 }, get));
      assert.ok(answers.every((answer) => answer.startsWith("HTTP/1.1 200 OK")));
      assert.equal(await server.stop("SIGQUIT"), 0);
      assert.equal(readFileSync(access, "utf8").trim().split("\n").length, 201);
    });
  });

  for (const mpm of ["prefork", "worker"])
    test(`Apache with PHP (${mpm}) serves, reloads, and ends`, {
      skip: needsRoot || missing("/usr/sbin/apache2") || (mpm === "prefork" ? missing(php) : false),
    }, async (t) => {
      const at = join(place, mpm);
      mkdirSync(at);
      chmodSync(place, 0o755);
      const withPhp = mpm === "prefork"; // the module is made for processes without threads
      writeFileSync(
        join(at, "page.php"),
        withPhp ? '<?php echo date("Y"), shell_exec("echo -sub");' : "page-sub\n",
      );
      writeFileSync(join(at, "conf"), apacheConfiguration(at, mpm, withPhp));
      await times(withPhp ? rounds : Math.ceil(rounds / 5), `Apache, ${mpm}`, async (round) => {
        const port = 20_000 + (process.pid % 20_000);
        for (const left of ["pid", "errors"]) rmSync(join(at, left), { force: true });
        const server = serve(t, round, [
          "/usr/sbin/apache2",
          "-f",
          join(at, "conf"),
          "-C",
          `Listen 127.0.0.1:${port}`,
          "-DFOREGROUND",
        ]);
        const told = (): string =>
          existsSync(join(at, "errors")) ? readFileSync(join(at, "errors"), "utf8") : server.said();
        await until(() => told().includes("resuming normal operations"), told);
        const get = async (): Promise<string> =>
          await ask({ port, host: "127.0.0.1" }, "GET /page.php HTTP/1.0\r\n\r\n", /-sub\n$/);
        const first = await get();
        assert.match(first, withPhp ? new RegExp(`\r\n\r\n${year}-sub\n$`) : /\r\n\r\npage-sub\n$/);
        assert.equal(new Date(/Date: (.*)\r/.exec(first)?.[1] ?? "").getUTCFullYear(), year);
        server.child.kill("SIGUSR1");
        const answers = await Promise.all(Array.from({ length: 30 }, get));
        assert.ok(
          answers.every((answer) => answer.startsWith("HTTP/1.1 200 OK")),
          answers.join("\n"),
        );
        await until(() => (told().match(/resuming normal operations/g)?.length ?? 0) > 1, told);
        assert.equal(await server.stop("SIGTERM"), 0);
      });
    });

  test("PostgreSQL makes a database, works, and ends", {
    skip: needsRoot || missing(join(postgres(), "postgres")),
  }, async (t) => {
    const at = join(place, "pg");
    mkdirSync(at);
    chmodSync(place, 0o755);
    chownSync(at, nobody, nobody);
    const program = (name: string): string => join(postgres(), name);
    const data = join(at, "data");
    await times(rounds, "PostgreSQL", async (round) => {
      // A new cluster takes seconds: each tenth round has one.
      if (round % 10 === 0) {
        rmSync(data, { recursive: true, force: true });
        const words = [program("initdb"), "-D", data, "-U", "me", "--no-sync", "--locale=C"];
        const how = { uid: nobody, gid: nobody, encoding: "utf8", cwd: at } as const;
        const made = spawnSync(engine, [...options(round / 10), ...words], how);
        assert.equal(made.status, 0, made.stderr);
      }
      const server = serve(t, round, [program("postgres"), "-D", data, "-h", "", "-k", at, "-F"], nobody);
      await until(() => server.said().includes("ready to accept"), server.said);
      const query = `create table t${round} as select generate_series(1, 20000) x; select count(*), sum(x), extract(year from now()) from t${round}`;
      const told = execFileSync(program("psql"), ["-h", at, "-U", "me", "-Atqc", query, "postgres"], {
        encoding: "utf8",
      });
      assert.equal(told, `20000|200010000|${year}\n`);
      assert.equal(await server.stop("SIGINT"), 0);
    });
  });
});
