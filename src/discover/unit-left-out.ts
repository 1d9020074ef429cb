// Settings of a unit that change how its service runs and that a recipe does not carry: each is told, with what to do instead.
import type { ByteString } from "../formats/entry.ts";
import { expandCommand, parseExec } from "../formats/units.ts";
import { withProgram } from "./find-program.ts";
import type { ServiceRecipe } from "./recipe.ts";
import type { Source } from "./source.ts";
import type { UnitReader } from "./systemd-services.ts";

const plain = [
  "RootDirectory", "RootImage", "DynamicUser", "LoadCredential", "PAMName", "PassEnvironment", "AmbientCapabilities", "BindPaths",
  "BindReadOnlyPaths",
]; // biome-ignore format: a list

/** Limits that instances have by an option of `run`. */
const limits: Readonly<Record<string, string>> = {
  LimitMEMLOCK: "--ulimit memlock", LimitNPROC: "--ulimit nproc", LimitCORE: "--ulimit core", LimitSTACK: "--ulimit stack",
  LimitFSIZE: "--ulimit fsize", LimitDATA: "--ulimit data", LimitRSS: "--ulimit rss", LimitCPU: "--ulimit cpu", LimitLOCKS: "--ulimit locks",
  LimitSIGPENDING: "--ulimit sigpending", LimitMSGQUEUE: "--ulimit msgqueue", LimitNICE: "--ulimit nice", LimitRTPRIO: "--ulimit rtprio",
  MemoryMax: "--memory", MemoryLimit: "--memory", CPUQuota: "--cpus", TasksMax: "--pids-limit", OOMScoreAdjust: "--oom-score-adj",
}; // biome-ignore format: a table

/** In the order of what they change: commands, surroundings, output, limits. */
export async function notCarriedOver(
  source: Source,
  reader: UnitReader,
  recipe: ServiceRecipe,
): Promise<string[]> {
  const notes: string[] = [];
  for (const [key, remedy] of commands) {
    for (const command of reader.services(key).flatMap(parseExec)) {
      const argv = await withProgram(
        source,
        expandCommand(command, { ...recipe.environment, MAINPID: "$MAINPID" }),
      );
      if (ofTheManager.test(argv.join(" "))) continue;
      notes.push(`${key}=${argv.join(" ").slice(0, 200)} is not carried over${remedy}`);
    }
  }
  for (const key of plain) {
    const value = reader.service(key);
    if (value !== "" && value !== "no") notes.push(`${key}=${value} is not carried over`);
  }
  for (const key of ["StandardInput", "StandardOutput", "StandardError"]) {
    const value = reader.service(key);
    if (/^(file|append|truncate):/.test(value)) notes.push(`${key}=${value} is not carried over`);
  }
  for (const [key, option] of Object.entries(limits)) {
    const value = reader.service(key);
    if (value === "" || isNothing(key, value)) continue;
    notes.push(`${key}=${value} is not carried over: give run ${option}${optionValue(key, option, value)}`);
  }
  return notes;
}

const commands = [
  ["ExecCondition", ""],
  ["ExecStartPost", ": add a oneshot service after it to the package where the application needs that"],
  ["ExecStopPost", ""],
] as const;

/** Of no meaning without a service manager. */
export const ofTheManager = /(^|[\s/;&"'])(systemctl|systemd-notify|systemd-run|initctl|busctl)\b/;

function isNothing(key: string, value: ByteString): boolean {
  return (value === "infinity" && !key.startsWith("Limit")) || (key === "OOMScoreAdjust" && value === "0");
}

/** As the option has it, where both count in the same way. */
function optionValue(key: string, option: string, value: ByteString): string {
  if (key.startsWith("Limit"))
    return /^(infinity|-?\d+)(:(infinity|\d+))?$/.test(value) ? `=${value.replaceAll("infinity", "-1")}` : "";
  const percent = /^(\d+)%$/.exec(value)?.[1];
  if (option === "--cpus") return percent === undefined ? "" : ` ${Number(percent) / 100}`;
  return /^-?\d+[KMGT]?$/.test(value) ? ` ${value.toLowerCase()}` : "";
}
