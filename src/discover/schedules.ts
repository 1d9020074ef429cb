// What runs by the clock: cron, anacron, at, systemd timers.
import { parseAnacrontab, parseCrontab } from "../formats/cron.ts";
import type { ByteString } from "../formats/entry.ts";
import { expandSpecifiers } from "../formats/unit-names.ts";
import type { ScheduleFact } from "./inventory.ts";
import { maskText } from "./mask.ts";
import { baseName, type Source } from "./source.ts";
import type { UnitTree } from "./unit-tree.ts";
import { readUsers } from "./users.ts";

const maxFiles = 5000;
const fileName = /^(?!\.)(?!.*(~|\.(dpkg|rpm)[-\w]*|\.swp)$).*$/s;

export async function readSchedules(source: Source, tree: UnitTree): Promise<ScheduleFact[]> {
  return [
    ...(await readSystemTables(source)),
    ...(await readUserTables(source)),
    ...(await readDirectories(source)),
    ...(await readAnacron(source)),
    ...(await readAt(source)),
    ...(await readTimers(tree)),
  ];
}

function fact(kind: ScheduleFact["kind"], when: ByteString, from: ByteString): ScheduleFact {
  return { kind, when, user: "root", command: "", service: "", from: [from] };
}

async function readTable(source: Source, path: ByteString, owner?: ByteString): Promise<ScheduleFact[]> {
  const table = parseCrontab((await source.text(path)) ?? "", owner === undefined);
  for (const problem of table.problems.slice(0, 5)) source.note(path, problem);
  return table.jobs.map((job) => ({
    ...fact("cron", job.schedule, path),
    user: owner ?? job.user ?? "root",
    command: maskText(job.command.slice(0, 4096)),
  }));
}

async function readSystemTables(source: Source): Promise<ScheduleFact[]> {
  const schedules = await readTable(source, "/etc/crontab");
  for (const path of (await source.filesIn("/etc/cron.d", fileName)).slice(0, maxFiles)) {
    schedules.push(...(await readTable(source, path)));
  }
  return schedules;
}

async function readUserTables(source: Source): Promise<ScheduleFact[]> {
  const schedules: ScheduleFact[] = [];
  for (const directory of ["/var/spool/cron/crontabs", "/var/spool/cron/tabs", "/var/spool/cron"]) {
    const paths = (await source.filesIn(directory, fileName)).slice(0, maxFiles);
    for (const path of paths) schedules.push(...(await readTable(source, path, baseName(path))));
  }
  return schedules;
}

async function readDirectories(source: Source): Promise<ScheduleFact[]> {
  const schedules: ScheduleFact[] = [];
  for (const when of ["hourly", "daily", "weekly", "monthly"]) {
    for (const entry of (await source.list(`/etc/cron.${when}`)).slice(0, maxFiles)) {
      const executable = entry.kind === "symlink" || (entry.kind === "file" && (entry.mode & 0o111) !== 0);
      if (!executable || !fileName.test(baseName(entry.path))) continue;
      schedules.push({ ...fact("directory", when, entry.path), command: entry.path });
    }
  }
  return schedules;
}

async function readAnacron(source: Source): Promise<ScheduleFact[]> {
  const path = "/etc/anacrontab";
  return parseAnacrontab((await source.text(path)) ?? "").map((job) => ({
    ...fact("anacron", `every ${job.period} days, delay ${job.delay} min`, path),
    command: maskText(job.command.slice(0, 4096)),
  }));
}

async function readAt(source: Source): Promise<ScheduleFact[]> {
  const schedules: ScheduleFact[] = [];
  const { users } = await readUsers(source);
  for (const directory of ["/var/spool/cron/atjobs", "/var/spool/at"]) {
    for (const entry of (await source.list(directory)).slice(0, maxFiles)) {
      // a00001017a5c2e: queue, job number, minutes since the epoch
      const match = /^([a-zA-Z=])([0-9a-f]{5})([0-9a-f]{8})$/.exec(baseName(entry.path));
      if (match === null || entry.kind !== "file") continue;
      const at = new Date(Number.parseInt(match[3] ?? "0", 16) * 60_000).toISOString();
      const user = users.find((each) => each.uid === entry.uid)?.name ?? String(entry.uid);
      schedules.push({ ...fact("at", at, entry.path), user, command: entry.path });
    }
  }
  return schedules;
}

async function readTimers(tree: UnitTree): Promise<ScheduleFact[]> {
  const schedules: ScheduleFact[] = [];
  for (const name of tree.names("timer")) {
    if (tree.masked(name) || tree.realName(name) !== name || tree.enabledBy(name).length === 0) continue;
    const unit = await tree.load(name);
    if (unit === undefined) continue;
    const when = [
      "OnCalendar",
      "OnBootSec",
      "OnStartupSec",
      "OnActiveSec",
      "OnUnitActiveSec",
      "OnUnitInactiveSec",
    ]
      .flatMap((key) => unit.settings.all("Timer", key).map((value) => `${key}=${value}`))
      .join(", ");
    const service = unit.settings.last("Timer", "Unit") ?? `${name.slice(0, -".timer".length)}.service`;
    schedules.push({
      ...fact("timer", when, unit.from[0] ?? name),
      service: expandSpecifiers(service, name).replace(/\.service$/, ""),
      from: unit.from,
    });
  }
  return schedules;
}
