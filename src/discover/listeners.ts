// What configuration files say would be listened on, for machines that do not run. Best effort by program family.
import type { ByteString } from "../formats/entry.ts";
import type { ListenerFact } from "./inventory.ts";
import { postgresClusters } from "./postgres.ts";
import { baseName, type Source } from "./source.ts";

const maxFiles = 500;
type Reader = (source: Source) => Promise<ListenerFact[]>;

/** Families whose configuration is understood, by the base names of their programs. */
const families: { kind: string; programs: RegExp; read: Reader }[] = [
  { kind: "apache", programs: /^(apache2?|httpd|apache2?ctl)$/, read: readApache },
  { kind: "nginx", programs: /^nginx$/, read: readNginx },
  { kind: "mysql", programs: /^(mysqld|mariadbd|mysqld_safe|mysqld_multi|mariadbd-safe)$/, read: readMysql },
  { kind: "postgresql", programs: /^(postgres|postmaster|pg_ctlcluster)$/, read: readPostgres },
  { kind: "sshd", programs: /^sshd$/, read: readSshd },
  { kind: "redis", programs: /^(redis-server|valkey-server)$/, read: readRedis },
  { kind: "tomcat", programs: /^(tomcat.*|catalina\.sh)$/, read: readTomcat },
  { kind: "memcached", programs: /^(memcached|systemd-memcached-wrapper)$/, read: readMemcached },
  { kind: "mongodb", programs: /^mongod$/, read: readMongo },
];

export async function readListeners(source: Source): Promise<ListenerFact[]> {
  const listeners: ListenerFact[] = [];
  for (const family of families) listeners.push(...(await family.read(source)));
  return listeners;
}

/** Listeners of the family that a program belongs to; `name` helps where the program is a shell. */
export async function listenersOfProgram(
  source: Source,
  program: ByteString,
  name: ByteString,
): Promise<ListenerFact[]> {
  const candidates = [baseName(program), name.replace(/@.*$/, "")];
  const family = families.find(({ programs }) => candidates.some((candidate) => programs.test(candidate)));
  return family === undefined ? [] : family.read(source);
}

interface Config {
  path: ByteString;
  text: ByteString;
}

async function configs(
  source: Source,
  paths: readonly ByteString[],
  directories: readonly ByteString[],
): Promise<Config[]> {
  const all = [...paths];
  for (const directory of directories) all.push(...(await source.filesIn(directory, /^[^.].*[^~]$/)));
  const found: Config[] = [];
  const seen = new Set<ByteString>();
  for (const path of all.slice(0, maxFiles)) {
    const canonical = (await source.canonical(path)) ?? path;
    if (seen.has(canonical)) continue;
    seen.add(canonical);
    const text = await source.text(path);
    if (text !== undefined) found.push({ path, text });
  }
  return found;
}

function listener(kind: string, spec: ByteString, from: ByteString, fallback = 0): ListenerFact | undefined {
  if (spec.startsWith("/") || spec.startsWith("unix:")) {
    return { kind, address: "", port: 0, path: spec.replace(/^unix:/, ""), from: [from] };
  }
  const match = /^(?:(\[[0-9a-fA-F:]+\]|[^:\s]+):)?(\d{1,5})$/.exec(spec);
  const port = match === null ? fallback : Number(match[2]);
  if (port < 1 || port > 65_535) return undefined;
  const address = match === null ? spec : (match[1] ?? "");
  return { kind, address: address.replace(/^\[|\]$/g, "").replace(/^\*$/, ""), port, path: "", from: [from] };
}

/** Every match of a pattern whose first group is the listen specification; doubles are told once. */
function collect(kind: string, found: readonly Config[], pattern: RegExp, fallback?: number): ListenerFact[] {
  const listeners = new Map<string, ListenerFact>();
  for (const { path, text } of found) {
    for (const match of text.matchAll(pattern)) {
      const fact = listener(kind, match[1] ?? "", path, fallback);
      if (fact === undefined) continue;
      const key = `${fact.address}|${fact.port}|${fact.path}`;
      if (!listeners.has(key) && listeners.size < 1000) listeners.set(key, fact);
    }
  }
  return [...listeners.values()];
}

async function readApache(source: Source): Promise<ListenerFact[]> {
  const found = await configs(
    source,
    [
      "/etc/apache2/ports.conf",
      "/etc/apache2/apache2.conf",
      "/etc/httpd/conf/httpd.conf",
      "/usr/local/apache2/conf/httpd.conf",
    ],
    ["/etc/apache2/conf-enabled", "/etc/apache2/sites-enabled", "/etc/httpd/conf.d"],
  );
  const ssl =
    (await source.exists("/etc/apache2/mods-enabled/ssl.load")) ||
    (await source.exists("/etc/httpd/conf.d/ssl.conf"));
  const seen = found.map(({ path, text }) => ({ path, text: ssl ? text : withoutSsl(text) }));
  return collect("apache", seen, /^[ \t]*Listen[ \t]+"?([^\s"]+)/gim);
}

/** Listen lines inside <IfModule ssl_module> do not count where that module is off. */
function withoutSsl(text: ByteString): ByteString {
  const kept: string[] = [];
  let inside = false;
  for (const line of text.split("\n")) {
    if (/^[ \t]*<IfModule[ \t]+(mod_)?(ssl|gnutls)(_module|\.c)>/i.test(line)) inside = true;
    if (!inside) kept.push(line);
    if (/^[ \t]*<\/IfModule>/i.test(line)) inside = false;
  }
  return kept.join("\n");
}

function withoutComments(xml: ByteString): ByteString {
  const kept: string[] = [];
  for (let at = 0; at < xml.length; ) {
    const begin = xml.indexOf("<!--", at);
    kept.push(begin < 0 ? xml.slice(at) : xml.slice(at, begin));
    const end = begin < 0 ? -1 : xml.indexOf("-->", begin + 4);
    at = end < 0 ? xml.length : end + 3;
  }
  return kept.join("");
}

async function readNginx(source: Source): Promise<ListenerFact[]> {
  const found = await configs(
    source,
    ["/etc/nginx/nginx.conf"],
    ["/etc/nginx/conf.d", "/etc/nginx/sites-enabled"],
  );
  return collect("nginx", found, /^[ \t]*listen[ \t]+([^\s;]+)/gim, 80);
}

async function readMysql(source: Source): Promise<ListenerFact[]> {
  const found = await configs(
    source,
    ["/etc/my.cnf", "/etc/mysql/my.cnf"],
    ["/etc/my.cnf.d", "/etc/mysql/conf.d", "/etc/mysql/mariadb.conf.d", "/etc/mysql/mysql.conf.d"],
  );
  if (found.length === 0) return [];
  // only what stands in a server group; client groups have a port too
  const server = found.map(({ path, text }) => ({ path, text: serverGroups(text) }));
  const value = (pattern: RegExp): string | undefined =>
    server.map(({ text }) => pattern.exec(text)?.[1]).findLast((each) => each !== undefined);
  const from = server.filter(({ text }) => text !== "").map(({ path }) => path);
  const socket = value(/^[ \t]*socket[ \t]*=[ \t]*(\S+)/m);
  const address = value(/^[ \t]*bind[-_]address[ \t]*=[ \t]*(\S+)/m) ?? "";
  const port = Number(value(/^[ \t]*port[ \t]*=[ \t]*(\d+)/m) ?? 3306);
  const listeners: ListenerFact[] = [];
  if (
    value(/^[ \t]*(skip[-_]networking)\b(?![ \t]*=[ \t]*(?:0|off))/im) === undefined &&
    port > 0 &&
    port < 65_536
  ) {
    listeners.push({ kind: "mysql", address: address === "*" ? "" : address, port, path: "", from });
  }
  if (socket !== undefined) listeners.push({ kind: "mysql", address: "", port: 0, path: socket, from });
  return listeners;
}

function serverGroups(text: ByteString): ByteString {
  return text
    .split(/^(?=[ \t]*\[)/m)
    .filter((group) =>
      /^[ \t]*\[(server|mysqld|mariadb|mariadbd|mysqld-\d[\d.]*|mariadb-\d[\d.]*)\]/.test(group),
    )
    .join("\n");
}

async function readPostgres(source: Source): Promise<ListenerFact[]> {
  const listeners: ListenerFact[] = [];
  for (const cluster of await postgresClusters(source)) {
    const from = [`${cluster.directory}/postgresql.conf`];
    listeners.push({ kind: "postgresql", address: "", port: cluster.port, path: "", from });
  }
  for (const path of ["/var/lib/pgsql/data/postgresql.conf"]) {
    const text = await source.text(path);
    if (text === undefined) continue;
    const port = Number(/^[ \t]*port[ \t]*=[ \t]*(\d+)/m.exec(text)?.[1] ?? 5432);
    listeners.push({ kind: "postgresql", address: "", port, path: "", from: [path] });
  }
  return listeners;
}

async function readSshd(source: Source): Promise<ListenerFact[]> {
  const found = await configs(source, ["/etc/ssh/sshd_config"], ["/etc/ssh/sshd_config.d"]);
  if (found.length === 0) return [];
  const ports = collect("sshd", found, /^[ \t]*Port[ \t]+(\d+)/gim);
  const from = [found[0]?.path ?? ""];
  return ports.length > 0 ? ports : [{ kind: "sshd", address: "", port: 22, path: "", from }];
}

async function readRedis(source: Source): Promise<ListenerFact[]> {
  const found = await configs(source, ["/etc/redis/redis.conf", "/etc/redis.conf"], []);
  return [
    ...collect("redis", found, /^[ \t]*port[ \t]+(\d+)/gim),
    ...collect("redis", found, /^[ \t]*unixsocket[ \t]+(\/\S+)/gim),
  ];
}

async function readTomcat(source: Source): Promise<ListenerFact[]> {
  const directories = (await source.list("/etc"))
    .map((entry) => entry.path)
    .filter((path) => /\/tomcat\d*$/.test(path));
  const paths = [...directories, "/opt/tomcat/conf", "/usr/share/tomcat/conf", "/var/lib/tomcat/conf"].map(
    (path) => `${path}/server.xml`,
  );
  const found = await configs(source, paths, []);
  const live = found.map(({ path, text }) => ({ path, text: withoutComments(text) }));
  return collect("tomcat", live, /<Connector\b[^>]{0,2000}?\bport="(\d+)"/g);
}

async function readMemcached(source: Source): Promise<ListenerFact[]> {
  const found = await configs(source, ["/etc/memcached.conf", "/etc/sysconfig/memcached"], []);
  return collect("memcached", found, /^[ \t]*(?:-p[ \t]+|PORT="?)(\d+)/gm);
}

async function readMongo(source: Source): Promise<ListenerFact[]> {
  const found = await configs(source, ["/etc/mongod.conf", "/etc/mongodb.conf"], []);
  return collect("mongodb", found, /^[ \t]*port[ \t]*[:=][ \t]*(\d+)/gm);
}
