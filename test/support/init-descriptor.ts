// A descriptor that uses everything init knows.
import { type Descriptor, newDescriptor } from "../../src/package/descriptor.ts";

const origin = { os: { id: "debian", version: "11" }, kernel: "5.10.0", architecture: "amd64" };

export const fullDescriptor: Descriptor = {
  ...newDescriptor({ id: "full_1", name: "full", version: "1", publisher: "" }, origin),
  environment: { LANG: "fr_FR.UTF-8", NAME: "été €" },
  directories: [
    { path: "/run/mysqld", mode: "1755", uid: 105, gid: 110 },
    { path: "/run/lock", mode: "1777", uid: 0, gid: 0, empty: true },
  ],
  volumes: [
    { path: "/var/lib/mysql", initial: "copy", reason: "written", size: "112MiB" },
    { path: "/srv/up", initial: "sync" },
    { path: "/srv/empty", initial: "copy", size: "0" },
    { path: "/srv/new", initial: "none" },
  ],
  secrets: [
    { delivery: "mount", path: "/etc/app/key.pem", required: true, reason: "private key" },
    { delivery: "env", name: "TOKEN", required: false },
  ],
  programs: [
    {
      name: "db",
      command: ["/usr/sbin/mariadbd", "--user=mysql"],
      workingDirectory: "/var/lib/mysql",
      user: "mysql",
      environment: { A: "1", B: 'x"y\\z\n' },
    },
    { name: "web", command: ["apache2", "-DFOREGROUND", ""] },
    { name: "mail", command: ["postfix", "start"], user: "0:0" },
  ],
  services: [
    {
      name: "web",
      program: "web",
      after: ["db", "mail"],
      readiness: { port: 80, timeout: "1m30s" },
      restart: { policy: "on-failure", attempts: 7, backoff: "250ms" },
      stop: { signal: "SIGWINCH", timeout: "20s" },
    },
    {
      name: "db",
      program: "db",
      essential: false,
      readiness: { exec: ["mariadb-admin", "ping"] },
      restart: { policy: "always" },
      stop: { command: ["mariadb-admin", "shutdown"] },
      sockets: [
        { listen: "0.0.0.0:3306" },
        { listen: "/run/mysqld/mysqld.sock", name: "own socket", mode: "0600", uid: 105, gid: 110 },
        { listen: "@db", type: "seqpacket" },
      ],
    },
    {
      name: "mail",
      program: "mail",
      type: "forking",
      pidFile: "/run/master.pid",
      readiness: { file: "/run/m" },
    },
    {
      name: "prepare",
      program: "web",
      type: "oneshot",
      startup: "manual",
      readiness: { log: "^done( now)?$" },
      sockets: [{ listen: "[::1]:514", type: "datagram", given: "input", ipv6Only: true }],
    },
    { name: "old", program: "db", startup: "disabled", stop: { signal: "RTMIN+3" } },
  ],
  schedules: [
    { name: "rotate", cron: "0 3 * * *", program: "web" },
    { name: "often", cron: "*/5 8-18/2 1,15 jan-mar mon-fri", program: "mail" },
    { name: "boot", cron: "@reboot", program: "db" },
  ],
};
