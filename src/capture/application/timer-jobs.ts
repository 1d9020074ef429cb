// Timers of systemd as programs and schedules: what the timer starts by the recipe of its service, when by lines of cron.
import { isTranshipError } from "../../base/errors.ts";
import type { ScheduleFact, ServiceFact } from "../../discover/inventory.ts";
import { recipeOf, type ServiceRecipe } from "../../discover/recipe.ts";
import { findService } from "../../discover/services.ts";
import { cronOfCalendar, cronOfPeriod } from "../../formats/calendar.ts";
import type { ByteString } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { shellWords } from "../../formats/shell-words.ts";
import { parseTimeSpan } from "../../formats/unit-time.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Descriptor, Program } from "../../package/descriptor.ts";
import { readIds, userOf } from "./application.ts";
import { exactText, pathText } from "./descriptor-text.ts";

export interface TimerJob {
  /** Any one of them. */
  crons: readonly string[];
  /** All but its name. */
  program: Omit<Program, "name">;
  directories: Descriptor["directories"];
  /** What it runs, as a line, and where. */
  line: ByteString;
  workingDirectory: ByteString;
  notes: readonly string[];
}

/** A text: why it does not come along. */
export async function timerJob(
  machine: Machine,
  fact: ScheduleFact,
  services: readonly ServiceFact[],
): Promise<TimerJob | string> {
  const crons = cronsOf(fact.when);
  if (crons === undefined) return "cron cannot say when";
  const service = findService(services, fact.service);
  if (service === undefined) return "its service is not there";
  let recipe: ServiceRecipe;
  try {
    recipe = await recipeOf(service, machine.files);
  } catch (error) {
    if (!isTranshipError(error)) throw error;
    return error.message;
  }
  if (recipe.type === "forking") return "its service goes to the background";
  if (recipe.before.some((step) => step.user !== recipe.user))
    return "its service runs commands as several users";
  const ids = await readIds(machine);
  const command = commandOf(recipe);
  const text = (value: ByteString): string => exactText(value, `what service ${recipe.name} is started with`);
  const { workingDirectory } = recipe;
  return {
    crons,
    workingDirectory,
    program: {
      command: command.map(text),
      environment: Object.fromEntries(
        Object.entries(recipe.environment).map(([name, value]) => [text(name), text(value)]),
      ),
      ...(/^\/?$/.test(workingDirectory) ? {} : { workingDirectory: pathText(workingDirectory) }),
      ...userOf(recipe.user, recipe.group),
    },
    directories: recipe.runtimeDirectories.map(({ path, mode, ...owner }) => ({
      path: pathText(path),
      mode: `0${mode.toString(8)}`,
      ...ids.owners(owner),
    })),
    line: shellWords([...recipe.before.flatMap((step) => step.command), ...recipe.start]),
    notes: recipe.notes.map((note) => `${escapeBytes(recipe.name)}, which a timer starts: ${note}`),
  };
}

/** Several commands of a service run one after the other, as long as each succeeds. */
function commandOf({ before, start, umask }: ServiceRecipe): ByteString[] {
  if (before.length === 0 && umask === undefined) return start;
  const lines = [
    ...(umask === undefined ? [] : [`umask ${umask.toString(8)}`]),
    ...before.map((step) => `${shellWords(step.command)}${step.ignoreFailure ? " || true" : ""}`),
    `exec ${shellWords(start)}`,
  ];
  return ["/bin/sh", "-c", `set -e\n${lines.join("\n")}`];
}

/** undefined: cron cannot say when. Calendar expressions count where there are any: what is due some time after a start comes beside them there. */
export function cronsOf(when: ByteString): string[] | undefined {
  const settings = when.split(/, (?=On[A-Z]\w*=)/).map((one) => {
    const at = one.indexOf("=");
    return { key: one.slice(0, at), value: one.slice(at + 1) };
  });
  const of = (key: RegExp): string[] => settings.filter((one) => key.test(one.key)).map(({ value }) => value);
  const again = of(/^OnUnit(Active|Inactive)Sec$/);
  const found = of(/^OnCalendar$/).map(cronOfCalendar);
  if (found.length === 0) found.push(...again.map((span) => cronOfPeriod(parseTimeSpan(span) ?? 0)));
  if (found.length === 0 && settings.some(({ value }) => value !== "")) found.push("@reboot");
  const crons = found.filter((cron) => cron !== undefined);
  return crons.length === 0 || crons.length < found.length ? undefined : [...new Set(crons)];
}
