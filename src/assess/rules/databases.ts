// Database directories: their size decides how data is moved.
import { formatSize } from "../../base/units.ts";
import type { Finding } from "../assessment.ts";
import { finding, type Rule, type RuleContext } from "../rule.ts";

const directories: [path: string, kind: string][] = [
  ["/var/lib/mysql", "MySQL or MariaDB"],
  ["/var/lib/postgresql", "PostgreSQL"],
  ["/var/lib/pgsql", "PostgreSQL"],
  ["/var/lib/mongodb", "MongoDB"],
  ["/var/lib/mongo", "MongoDB"],
  ["/var/lib/redis", "Redis"],
  ["/var/lib/ldap", "OpenLDAP"],
  ["/var/lib/elasticsearch", "Elasticsearch"],
  ["/var/lib/cassandra", "Cassandra"],
  ["/u01/oradata", "Oracle"],
  ["/opt/oracle", "Oracle"],
  ["/var/opt/mssql", "SQL Server"],
  ["/home/db2inst1", "Db2"],
  ["/var/lib/influxdb", "InfluxDB"],
  ["/var/lib/rabbitmq", "RabbitMQ"],
  ["/var/lib/couchdb", "CouchDB"],
  ["/var/lib/neo4j", "Neo4j"],
  ["/var/lib/firebird", "Firebird"],
];

export const databases: Rule = {
  id: "databases",
  title: "Database directories",
  severity: "warning",
  async check(context) {
    const findings: Finding[] = [];
    const all = [...directories, ...(await configured(context))];
    const seen = new Set<string>();
    for (const [path, kind] of all) {
      const canonical = (await context.source.canonical(path)) ?? path;
      const bytes = await sizeOf(context, canonical);
      if (bytes === 0 || seen.has(canonical)) continue;
      seen.add(canonical);
      const tight = bytes > context.target.freeBytes * 0.8;
      findings.push(
        finding(databases, path, [`${kind}: ${formatSize(bytes)}`], {
          effect: tight
            ? `the target has only ${formatSize(context.target.freeBytes)} free at ${context.target.statePath}`
            : "data that changes while the machine runs: it belongs in a volume, and a copy is only whole when the database is stopped or flushed",
          remedy: tight
            ? "free space on the target, or put the volume elsewhere"
            : "capture with the service stopped, or use its own dump for the last step",
          severity: tight ? "warning" : "note",
        }),
      );
    }
    return findings;
  },
};

async function sizeOf(context: RuleContext, path: string): Promise<number> {
  const known = context.survey.directories.get(path);
  if (known !== undefined) return known;
  if (path.split("/").length <= 4) return 0; // the survey would have seen it
  let bytes = 0;
  for await (const entry of context.source.files.walk(path))
    if (!("error" in entry)) bytes += entry.blocks * 512;
  return bytes;
}

/** Data directories that configuration moves elsewhere. */
async function configured({ survey, source }: RuleContext): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for (const path of survey.configuration.filter((each) =>
    /my\.cnf|mysql|mariadb|postgresql\.conf|mongod\.conf/.test(each),
  )) {
    const text = (await source.text(path, 256 << 10)) ?? "";
    for (const match of text.matchAll(
      /^[ \t]*(?:datadir|data_directory|dbPath)[ \t]{0,8}[=:][ \t]{0,8}["']?(\/[^\s"'#]+)/gm,
    )) {
      found.push([match[1] ?? "", `named in ${path}`]);
    }
  }
  return found.slice(0, 100);
}
