// Cron expressions: five fields with lists, ranges, steps and names, or @daily and its like, as Vixie cron reads them.
// The result is sets of numbers; native/init only asks whether a local minute is in them.

export interface CronTimes {
  /** 0-59, ascending, as are all lists here. */
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  /** 1-31. */
  readonly days: readonly number[];
  readonly months: readonly number[];
  /** 0-6, Sunday is 0. */
  readonly weekdays: readonly number[];
  /** The field began with `*`: where both days and weekdays are restricted, either one suffices. */
  readonly anyDay: boolean;
  readonly anyWeekday: boolean;
  /** Neither minute nor hour began with `*`: such an entry is made up for when the clock jumps over it. */
  readonly fixed: boolean;
  /** @reboot: once, when the instance starts. The lists are empty. */
  readonly atStart: boolean;
}

export type CronResult = { readonly times: CronTimes } | { readonly problem: string };

const names: Record<string, string> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

interface Field {
  readonly name: string;
  readonly low: number;
  readonly high: number;
  readonly words: readonly string[];
}

const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const weekdays = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const fields: readonly Field[] = [
  { name: "minute", low: 0, high: 59, words: [] },
  { name: "hour", low: 0, high: 23, words: [] },
  { name: "day of month", low: 1, high: 31, words: [] },
  { name: "month", low: 1, high: 12, words: months },
  { name: "day of week", low: 0, high: 7, words: weekdays },
];

/** A problem is one sentence part that names the offending text; nothing is thrown. */
export function parseCron(expression: string): CronResult {
  const text = expression.trim().toLowerCase();
  if (text === "@reboot") {
    return {
      times: {
        minutes: [],
        hours: [],
        days: [],
        months: [],
        weekdays: [],
        anyDay: true,
        anyWeekday: true,
        fixed: false,
        atStart: true,
      },
    };
  }
  const parts = (Object.hasOwn(names, text) ? (names[text] ?? text) : text).split(/\s+/);
  if (parts.length !== fields.length) {
    return { problem: `not five fields or a known @name: ${JSON.stringify(expression)}` };
  }
  const sets: number[][] = [];
  for (const [index, field] of fields.entries()) {
    const set = parseField(parts[index] ?? "", field);
    if (set === undefined) {
      return { problem: `not a ${field.name} (${field.low}-${field.high}): ${JSON.stringify(parts[index])}` };
    }
    sets.push(set);
  }
  const [minutes = [], hours = [], days = [], monthSet = [], rawWeekdays = []] = sets;
  const star = (index: number): boolean => parts[index]?.startsWith("*") ?? false;
  return {
    times: {
      minutes,
      hours,
      days,
      months: monthSet,
      weekdays: [...new Set(rawWeekdays.map((day) => day % 7))].sort((a, b) => a - b),
      anyDay: star(2),
      anyWeekday: star(4),
      fixed: !star(0) && !star(1),
      atStart: false,
    },
  };
}

function parseField(text: string, field: Field): number[] | undefined {
  const set = new Set<number>();
  for (const item of text.split(",")) {
    const match = /^(\*|[a-z0-9]+)(?:-([a-z0-9]+))?(?:\/(\d+))?$/.exec(item);
    if (match === null) return undefined;
    const [, first = "", last, step] = match;
    const all = first === "*";
    if (all && last !== undefined) return undefined;
    const from = all ? field.low : numberOf(first, field);
    const single = step === undefined ? from : field.high;
    const to = all ? field.high : last === undefined ? single : numberOf(last, field);
    const by = step === undefined ? 1 : Number(step);
    if (from === undefined || to === undefined || from > to || by < 1 || by > field.high + 1)
      return undefined;
    for (let value = from; value <= to; value += by) set.add(value);
  }
  return [...set].sort((a, b) => a - b);
}

function numberOf(text: string, field: Field): number | undefined {
  const word = field.words.indexOf(text);
  if (word >= 0) return word + field.low;
  if (!/^\d{1,2}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= field.low && value <= field.high ? value : undefined;
}
