// Calendar expressions as systemd.time(7) writes them, into fields of crontab(5). Exact or not at all: nothing is rounded but seconds.

const nicknames: Readonly<Record<string, string>> = {
  minutely: "* * * * *",
  hourly: "0 * * * *",
  daily: "0 0 * * *",
  weekly: "0 0 * * 1",
  monthly: "0 0 1 * *",
  quarterly: "0 0 1 1,4,7,10 *",
  semiannually: "0 0 1 1,7 *",
  "semi-annually": "0 0 1 1,7 *",
  yearly: "0 0 1 1 *",
  annually: "0 0 1 1 *",
  anually: "0 0 1 1 *",
};

/** A week begins on Monday here, and a range does not go over its end. */
const weekdays = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/**
 * Five fields that are due at the same minutes; undefined where cron cannot say it: years, time zones other than the machine's, days counted
 * from the month's end, days of the week and of the month at once (which cron takes for either), parts of a minute.
 */
export function cronOfCalendar(expression: string): string | undefined {
  const text = expression.trim().toLowerCase();
  if (Object.hasOwn(nicknames, text)) return nicknames[text];
  const words = text.split(/\s+/);
  const weekday = /^[a-z]/.test(words[0] ?? "") ? weekdayField(words.shift() ?? "") : "*";
  const date = words[0]?.includes(":") === true ? "*-*-*" : (words.shift() ?? "*-*-*");
  const time = words.shift() ?? "00:00";
  if (words.length > 0 || weekday === undefined) return undefined;
  const [day, month, year = "*", ...more] = date.split("-").reverse();
  const [hour, minute, second = "0", ...rest] = time.split(":");
  // A part of a minute is that minute's, where it is one moment.
  if (year !== "*" || more.length > 0 || rest.length > 0 || !/^\d{1,2}(\.\d+)?$/.test(second))
    return undefined;
  const fields = [
    numberField(minute, 0, 59),
    numberField(hour, 0, 23),
    numberField(day, 1, 31),
    numberField(month, 1, 12),
  ];
  if (fields.includes(undefined) || (weekday !== "*" && fields[2] !== "*")) return undefined;
  return [...fields, weekday].join(" ");
}

/** Five fields that are due as often, from midnight on, as something that comes again after so many milliseconds; undefined where no day is a multiple of it. */
export function cronOfPeriod(milliseconds: number): string | undefined {
  const minutes = milliseconds / 60_000;
  if (minutes === 7 * 24 * 60) return "0 0 * * 0";
  if (!Number.isInteger(minutes) || minutes < 1) return undefined;
  if (minutes < 60) return 60 % minutes === 0 ? `*/${minutes} * * * *` : undefined;
  const hours = minutes / 60;
  if (!Number.isInteger(hours) || 24 % hours !== 0) return undefined;
  return hours === 24 ? "0 0 * * *" : `0 */${hours} * * *`;
}

/** Numbers, lists, ranges by two dots, steps; a step without an end goes on to the field's highest. */
function numberField(text: string | undefined, low: number, high: number): string | undefined {
  const items = (text ?? "").split(",").map((item) => {
    const match = /^(?:(\*)|(\d{1,2})(?:\.\.(\d{1,2}))?)(?:\/(\d{1,2}))?$/.exec(item);
    if (match === null) return undefined;
    const [, star, first, last, step] = match;
    const inside = (value: string | undefined): boolean =>
      value === undefined || (Number(value) >= low && Number(value) <= high);
    if (!inside(first) || !inside(last) || Number(first) > Number(last) || step === "0") return undefined;
    const by = step === undefined || step === "1" ? "" : `/${Number(step)}`;
    if (star !== undefined || (Number(first) === low && last === undefined && step !== undefined))
      return `*${by}`;
    if (last === undefined && step === undefined) return String(Number(first));
    return `${Number(first)}-${last === undefined ? high : Number(last)}${by}`;
  });
  return items.includes(undefined) ? undefined : items.join(",");
}

function weekdayField(text: string): string | undefined {
  const number = (word: string): number =>
    weekdays.findIndex((name) => name === word || name.slice(0, 3) === word);
  const days = new Set<number>();
  for (const item of text.split(",").filter((one) => one !== "")) {
    const [from = -1, to = from, ...more] = item.split(/\.\.|-/).map(number);
    if (from < 0 || to < from || more.length > 0) return undefined;
    for (let day = from; day <= to; day++) days.add((day + 1) % 7);
  }
  if (days.size === 0) return undefined;
  return days.size === 7 ? "*" : [...days].sort((left, right) => left - right).join(",");
}
