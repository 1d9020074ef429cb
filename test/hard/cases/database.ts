// A database: its data are taken whole, not page by page, and it gives up root's rights while it is watched.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { HardCase, HardMachine } from "../../support/hard-case.ts";

const versions = "/usr/lib/postgresql";

/** undefined where this host's PostgreSQL can be the old machine's. */
export function whyNoDatabase(): string | undefined {
  try {
    return readdirSync(versions).length > 0 ? undefined : "needs postgresql";
  } catch {
    return "needs postgresql";
  }
}

export function makeDatabase(machine: HardMachine): void {
  const version = readdirSync(versions).sort().at(-1) ?? "";
  machine.shell(`cp $SOURCES/database.sh usr/bin/database; chmod 755 usr/bin/database
    mkdir -p usr/lib/postgresql usr/share/postgresql usr/share/zoneinfo/Etc var/lib/pg; cp -L /usr/share/zoneinfo/Etc/UTC usr/share/zoneinfo/Etc
    cp -a ${versions}/${version} usr/lib/postgresql; cp -a /usr/share/postgresql/${version} usr/share/postgresql
    rm -rf usr/lib/postgresql/${version}/lib/bitcode
    for name in su grep cat; do ln -sf busybox bin/$name; done
    echo postgres:x:70:70::/var/lib/pg:/bin/sh >>etc/passwd; echo postgres:x:70: >>etc/group; chown 70:70 var/lib/pg; chmod 700 var/lib/pg
    printf 'Package: postgresql\\nStatus: install ok installed\\nArchitecture: amd64\\nVersion: ${version}\\nDescription: a database\\n\\n' >>var/lib/dpkg/status
    { echo /.; find usr/lib/postgresql usr/share/postgresql | sed s,^,/,; } >var/lib/dpkg/info/postgresql.list`);
  for (const name of readdirSync(join(versions, version, "bin")))
    if (/^(postgres|initdb|psql|pgbench|pg_ctl)$/.test(name))
      machine.libraries(join(versions, version, "bin", name));
  for (const name of ["pgcrypto", "pg_trgm"]) machine.libraries(join(versions, version, "lib", `${name}.so`));
  const init = `initdb -D /var/lib/pg -A trust --no-sync --locale=C -E UTF8`;
  // One relation of which the test knows the content; no listening on addresses, no memory that an instance may not have.
  machine.shell(`cat >tmp/made.sh <<'END'
set -e
bin=/usr/lib/postgresql/${version}/bin
as() { busybox su -s /bin/sh postgres -c "$bin/$1"; }
as "${init}" >/dev/null
printf '%s\\n' "listen_addresses = ''" "unix_socket_directories = '/tmp'" "shared_buffers = 16MB" "fsync = off" "jit = off" >>/var/lib/pg/postgresql.conf
as "pg_ctl -D /var/lib/pg -w -l /tmp/pg.log start" >/dev/null
as "psql -h /tmp -X -q -c \\"create table articles (name text, price int); insert into articles select 'article ' || i, i from generate_series(1, 1000) i\\" postgres"
as "pg_ctl -D /var/lib/pg -w -m fast stop" >/dev/null
END
    unshare -m sh -c 'mount --make-rprivate /; mount -t proc proc proc; mount --rbind /dev dev; chmod 1777 tmp; exec env -i PATH=/bin:/usr/bin:/usr/sbin /usr/sbin/chroot . /bin/busybox sh /tmp/made.sh'
    rm -f tmp/*`);
}

export const databaseCases: readonly HardCase[] = [
  {
    name: "database",
    title: "a database whose data are packed whole",
    command: ["/usr/bin/database"],
    closureOnly: true,
    machine: makeDatabase,
    unwatched: [["/usr/bin/database", "bench"]],
    doctored: [
      {
        what: "a control file without its content",
        layer: "mkdir -p var/lib/pg/global; touch var/lib/pg/global/pg_control",
        says: /error: \/var\/lib\/pg\/global\/pg_control had 8192 bytes and has 0/,
      },
      {
        what: "a relation that nobody read while it was watched",
        layer:
          "cd $MACHINE; file=$(ls -S var/lib/pg/base/1/* | tail -1); cd - >/dev/null; mkdir -p $(dirname $file); head -c 1 /dev/zero >$file",
        says: /error: \/var\/lib\/pg\/base\/1\/\S+ had \d+ bytes and has 1/,
        programPasses: true,
      },
    ],
  },
];
