/**
 * Data directories of database servers: taken whole.
 *
 * Why: a database opens the tables that were asked for; half of its files are no database. The directory is known by
 * the server's configuration (datadir, dir, data_directory), by where its makers put it, or, wherever it lies, by a file that each
 * data directory of its kind has and that its server has to read; and those that a capture found in the configuration of its services.
 */
import type { ByteString, Entry } from "../../formats/entry.ts";
import { dataBehind } from "../data-places.ts";
import { isSweepable } from "../policy.ts";
import type { Emit, Rule, Scene } from "../rule.ts";
import { basename, dirname } from "../tree.ts";
import { isConfiguration } from "./configuration-paths.ts";

/** Program -> where its data is by default. */
const servers: ReadonlyArray<readonly [RegExp, readonly ByteString[]]> = [
  [/^(mysqld|mariadbd)$/, ["/var/lib/mysql"]],
  [/^postgres$/, ["/var/lib/postgresql", "/var/lib/pgsql"]],
  [/^redis-(server|check-rdb)$/, ["/var/lib/redis"]],
  [/^mongod$/, ["/var/lib/mongodb", "/var/lib/mongo"]],
  [/^slapd$/, ["/var/lib/ldap"]],
  [/^influxd$/, ["/var/lib/influxdb"]],
  [/^beam\.smp$/, ["/var/lib/rabbitmq"]],
  [/^memcachedb$/, ["/var/lib/memcachedb"]],
];

/** File -> how many directories above it the data directory is. */
const marks: ReadonlyMap<ByteString, number> = new Map([
  ["pg_control", 2],
  ["ibdata1", 1],
  ["aria_log_control", 1],
  ["WiredTiger", 1],
  ["appendonly.aof.manifest", 1],
]);

const setting =
  /^\s*(?:datadir|data_directory|dbPath|dir|innodb_data_home_dir|innodb_log_group_home_dir)\s*[=:\s]\s*['"]?(\/[^'"\s#;]+)/;

export function dataDirectories(): Rule {
  return {
    name: "data",
    async start(scene, emit) {
      for (const { path, from } of scene.data) await addData(scene, path, from, emit);
    },
    async entry(scene, entry, _reason, emit) {
      if (entry.kind !== "file") return;
      const name = basename(entry.path);
      const above = marks.get(name);
      if (above !== undefined)
        await addData(
          scene,
          above === 1 ? dirname(entry.path) : dirname(dirname(entry.path)),
          entry.path,
          emit,
        );
      if ((entry.mode & 0o111) === 0) return;
      for (const [program, directories] of servers) {
        if (!program.test(name)) continue;
        for (const path of directories) await addData(scene, path, entry.path, emit);
      }
    },
    async reason(scene, entry, reason, emit) {
      if (entry.kind === "symlink" && reason.kind === "data") await addLinked(scene, entry, emit);
      if (
        !isConfiguration(scene, entry, reason) ||
        !/(mysql|maria|my\.cnf|postgres|redis|mongo|ldap)/i.test(entry.path)
      )
        return;
      for (const line of ((await scene.configurations.read(entry))?.text ?? "").split("\n")) {
        const path = setting.exec(line)?.[1]?.replace(/\/+$/, "");
        if (path !== undefined) await addData(scene, path, entry.path, emit);
      }
    },
  };
}

async function addData(scene: Scene, path: ByteString, from: ByteString, emit: Emit): Promise<void> {
  const { entry } = await scene.tree.resolve(path);
  if (entry?.kind !== "directory" || !isSweepable(entry.path)) return;
  emit.tree(path, { kind: "data", from });
}

/** A cluster on another disk, a table space: whole, as the directory from which a link leads there. */
async function addLinked(scene: Scene, link: Entry, emit: Emit): Promise<void> {
  const { entry } = await scene.tree.resolve(link.path);
  if (entry?.kind !== "directory") return;
  const path = await dataBehind(link, scene.tree);
  if (path !== undefined && isSweepable(path)) emit.tree(path, { kind: "data", from: link.path });
}
