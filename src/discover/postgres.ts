// Debian's PostgreSQL clusters: /etc/postgresql/VERSION/NAME. A generator turns them into unit instances at boot.
import type { ByteString } from "../formats/entry.ts";
import { baseName, type Source } from "./source.ts";

export interface PostgresCluster {
  /** "13-main", the instance name of its unit. */
  name: ByteString;
  version: ByteString;
  directory: ByteString;
  /** Settings of postgresql.conf that matter here; "" where not set. */
  dataDirectory: ByteString;
  statsDirectory: ByteString;
  pidFile: ByteString;
  socketDirectory: ByteString;
  port: number;
}

/** Clusters whose start.conf says auto. */
export async function postgresClusters(source: Source): Promise<PostgresCluster[]> {
  const clusters: PostgresCluster[] = [];
  for (const version of (await source.list("/etc/postgresql")).slice(0, 100)) {
    for (const cluster of (await source.list(version.path)).slice(0, 100)) {
      const text = await source.text(`${cluster.path}/postgresql.conf`);
      if (text === undefined) continue;
      const start = (await source.text(`${cluster.path}/start.conf`)) ?? "auto";
      if (!/^[ \t]*auto\b/m.test(start)) continue;
      clusters.push(clusterOf(cluster.path, text));
    }
  }
  return clusters;
}

export async function postgresCluster(
  source: Source,
  instance: ByteString,
): Promise<PostgresCluster | undefined> {
  const match = /^([^-/]+)-([^/]+)$/.exec(instance);
  if (match === null) return undefined;
  const directory = `/etc/postgresql/${match[1]}/${match[2]}`;
  const text = await source.text(`${directory}/postgresql.conf`);
  return text === undefined ? undefined : clusterOf(directory, text);
}

function clusterOf(directory: ByteString, text: ByteString): PostgresCluster {
  const version = directory.split("/").at(-2) ?? "";
  const value = (key: string): ByteString => {
    const match = [
      ...text.matchAll(new RegExp(`^[ \\t]*${key}[ \\t]*(?:=[ \\t]*)?('[^'\\n]*'|[^\\s#]+)`, "gm")),
    ].at(-1);
    return (match?.[1] ?? "").replace(/^'(.*)'$/s, "$1");
  };
  return {
    name: `${version}-${baseName(directory)}`,
    version,
    directory,
    dataDirectory: value("data_directory"),
    statsDirectory: value("stats_temp_directory"),
    pidFile: value("external_pid_file"),
    socketDirectory: value("unix_socket_directories").split(",")[0] ?? "",
    port: Number(value("port")) || 5432,
  };
}
