// Shipped hints: how a program that a unit or a script starts as a daemon is kept in the foreground, where init can
// see its end. Only what the files of the machine do not say stands here; a program without a hint forks as it always did.
import type { ByteString } from "../formats/entry.ts";
import { postgresCluster } from "./postgres.ts";
import type { RuntimeDirectory } from "./recipe.ts";
import { baseName, type Source } from "./source.ts";

export interface Foreground {
  argv: ByteString[];
  user?: ByteString;
  directories?: RuntimeDirectory[];
  stopSignal?: string;
  /** Told to the person as the reason. */
  why: string;
}

export interface HintInput {
  /** As the unit would start it; for an init script only the program, if that is known. */
  argv: readonly ByteString[];
  instance: ByteString;
  /** The arguments are the daemon's own (a unit), not guessed from a script. */
  exact: boolean;
}

/** Daemons with one switch for it: what is added, what is dropped (an option with its value where it ends in "="). */
const switches: Record<string, { add: ByteString[]; drop?: ByteString[]; stopSignal?: string }> = {
  sshd: { add: ["-D"] },
  cron: { add: ["-f"] },
  crond: { add: ["-n"] },
  atd: { add: ["-f"] },
  proftpd: { add: ["--nodaemon"] },
  named: { add: ["-f"] },
  smbd: { add: ["--foreground", "--no-process-group"], drop: ["-D"] },
  nmbd: { add: ["--foreground", "--no-process-group"], drop: ["-D"] },
  squid: { add: ["-N"] },
  squid3: { add: ["-N"] },
  lighttpd: { add: ["-D"] },
  dnsmasq: { add: ["-k"] },
  xinetd: { add: ["-dontfork"] },
  inetd: { add: ["-i"] },
  rsyslogd: { add: ["-n"] },
  ntpd: { add: ["-n"] },
  snmpd: { add: ["-f"] },
  memcached: { add: [], drop: ["-d"] },
  mongod: { add: [], drop: ["--fork"] },
  mysqld: { add: [], drop: ["--daemonize", "-D"] },
  mariadbd: { add: [], drop: ["--daemonize", "-D"] },
  "redis-server": { add: ["--daemonize", "no"], drop: ["--daemonize="] },
  haproxy: { add: ["-db"], drop: ["-D"] },
  httpd: { add: ["-DFOREGROUND"], drop: ["-k="], stopSignal: "SIGWINCH" },
};

/** Those of busybox go by the names of others. */
const appletSwitches: typeof switches = {
  httpd: { add: ["-f"] },
  crond: { add: ["-f"] },
  inetd: { add: ["-f"] },
  ntpd: { add: ["-n"] },
  syslogd: { add: ["-n"] },
};

/** Needs its configuration named where a script was the only source. */
const scriptArguments: Record<string, ByteString[]> = {
  "redis-server": ["/etc/redis/redis.conf"],
  mysqld: ["--user=mysql"],
  mariadbd: ["--user=mysql"],
  haproxy: ["-f", "/etc/haproxy/haproxy.cfg"],
  lighttpd: ["-f", "/etc/lighttpd/lighttpd.conf"],
  memcached: ["-u", "memcache"],
};

export async function foregroundOf(source: Source, input: HintInput): Promise<Foreground | undefined> {
  const first = input.argv[0] ?? "";
  const program = baseName(first);
  if (first.startsWith("/") && baseName((await source.canonical(first)) ?? "") === "busybox")
    return rewrite(input.argv, program, appletSwitches);
  if (/^apache2?(ctl)?$/.test(program) && (await source.exists("/etc/apache2/envvars")))
    return apache(source, input);
  if (/^apachectl$/.test(program)) return rewrite(["/usr/sbin/httpd"], "httpd");
  if (program === "pg_ctlcluster" && input.argv.includes("start")) return postgres(source, input);
  if (program === "nginx") return nginx(input);
  if (/^php-fpm[\d.]*$/.test(program)) return phpFpm(input);
  if (input.exact && mailDaemons[program] !== undefined) return mail(input, mailDaemons[program]);
  if (switches[program] === undefined) return undefined;
  const argv = input.exact ? input.argv : [...input.argv.slice(0, 1), ...(scriptArguments[program] ?? [])];
  return rewrite(argv, program);
}

/** Where the words are the daemon's own: a mail server's script makes its configuration before it starts one. */
const mailDaemons: Record<string, ByteString> = { exim: "-bdf", exim4: "-bdf", sendmail: "-bD" };

function mail({ argv }: HintInput, foreground: ByteString): Foreground | undefined {
  if (!argv.includes("-bd")) return undefined;
  return {
    argv: argv.map((word) => (word === "-bd" ? foreground : word)),
    why: `${baseName(argv[0] ?? "")} stays in the foreground (${foreground})`,
  };
}

function rewrite(
  argv: readonly ByteString[],
  program: string,
  known: typeof switches = switches,
): Foreground | undefined {
  const entry = known[program];
  if (entry === undefined) return undefined;
  const kept: ByteString[] = [];
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? "";
    if (entry.drop?.includes(word) === true) continue;
    if (entry.drop?.includes(`${word}=`) === true) at++;
    else if (!entry.add.includes(word)) kept.push(word);
  }
  const words = [...(entry.drop ?? []), ...entry.add].join(" ");
  return {
    argv: [...kept, ...entry.add],
    ...(entry.stopSignal === undefined ? {} : { stopSignal: entry.stopSignal }),
    why: `${program} stays in the foreground (${words})`,
  };
}

/** Debian's apache2 takes its settings from the environment that apachectl sources, and needs its directories below /run. */
async function apache(source: Source, input: HintInput): Promise<Foreground | undefined> {
  const first = input.argv[0] ?? "";
  const program = /ctl$/.test(first) || !first.startsWith("/") ? "/usr/sbin/apache2" : first;
  if (!(await source.exists(program))) return undefined;
  const text = (await source.text("/etc/apache2/envvars")) ?? "";
  const value = (name: string, fallback: string): string =>
    (new RegExp(`^[ \\t]*(?:export[ \\t]+)?${name}=([^\\s#]+)`, "m").exec(text)?.[1] ?? fallback)
      .replace(/\$(?:\{SUFFIX\}|SUFFIX)/g, "")
      .replace(/^["']|["']$/g, "");
  const user = value("APACHE_RUN_USER", "www-data");
  const own = (path: string, owner: string): RuntimeDirectory => ({
    path,
    mode: 0o755,
    user: owner,
    group: "root",
  });
  return {
    argv: ["/bin/sh", "-c", `. /etc/apache2/envvars; exec ${program} -DFOREGROUND`],
    directories: [
      own(value("APACHE_RUN_DIR", "/var/run/apache2"), "root"),
      own(value("APACHE_LOCK_DIR", "/var/lock/apache2"), user),
    ],
    stopSignal: "SIGWINCH",
    why: "apachectl would fork; apache2 is started in the foreground with /etc/apache2/envvars sourced, as apachectl does",
  };
}

/** pg_ctlcluster is a wrapper in Perl that drops privileges and daemonizes; the server itself is started instead. */
async function postgres(source: Source, input: HintInput): Promise<Foreground | undefined> {
  const named = input.argv
    .slice(1)
    .filter((word) => !word.startsWith("-") && word !== "start" && word !== "fast");
  const instance = input.instance || (named.length >= 2 ? `${named[0]}-${named[1]}` : (named[0] ?? ""));
  const cluster = await postgresCluster(source, instance);
  if (cluster === undefined) return undefined;
  const program = `/usr/lib/postgresql/${cluster.version}/bin/postgres`;
  if (!(await source.exists(program))) return undefined;
  const data = cluster.dataDirectory || `/var/lib/postgresql/${instance.replace("-", "/")}`;
  const owner = (path: ByteString, mode: number): RuntimeDirectory => ({
    path,
    mode,
    user: "postgres",
    group: "postgres",
  });
  const directories = [owner(cluster.socketDirectory || "/var/run/postgresql", 0o2775)];
  if (/^\/(var\/)?run\//.test(cluster.statsDirectory))
    directories.push(owner(cluster.statsDirectory, 0o2750));
  return {
    argv: [program, "-D", data, "-c", `config_file=${cluster.directory}/postgresql.conf`],
    user: "postgres",
    directories,
    stopSignal: "SIGINT",
    why: "pg_ctlcluster would fork; the server of the cluster is started itself, as user postgres",
  };
}

function nginx(input: HintInput): Foreground {
  const argv = input.argv.map((word) => word.replace(/\bdaemon\s+on\s*;/, "daemon off;"));
  const told = argv.some((word) => /\bdaemon\s+off\s*;/.test(word));
  return {
    argv: told ? argv : [...argv, "-g", "daemon off;"],
    stopSignal: "SIGQUIT",
    why: "nginx stays in the foreground (daemon off)",
  };
}

function phpFpm(input: HintInput): Foreground {
  const argv = input.argv.filter((word) => !/^(-D|--daemonize|-F|--nodaemonize)$/.test(word));
  return { argv: [...argv, "--nodaemonize"], stopSignal: "SIGQUIT", why: "php-fpm stays in the foreground" };
}
