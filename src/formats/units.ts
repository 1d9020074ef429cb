// systemd unit files: text into settings, Exec lines into arguments, specifiers. Nothing here reads a file.
import type { ByteString } from "./entry.ts";
import { splitWords } from "./words.ts";

const maxSettings = 10_000;

export interface UnitSetting {
  section: string;
  key: string;
  value: ByteString;
}

export interface UnitFile {
  /** In order of appearance; a repeated key stays repeated. */
  settings: UnitSetting[];
  /** Lines that are no setting, as `line N: ...`. */
  problems: string[];
}

export function parseUnit(text: ByteString): UnitFile {
  const unit: UnitFile = { settings: [], problems: [] };
  let section = "";
  let pending: string[] = [];
  let number = 0;
  for (const raw of text.split("\n")) {
    number++;
    const line = raw.replace(/\r$/, "");
    if (/^[ \t]*[#;]/.test(line)) continue; // also between continued lines
    const continued = line.endsWith("\\");
    pending.push(continued ? line.slice(0, -1) : line);
    if (continued) continue;
    section = addLine(unit, section, pending.join(" ").trim(), number);
    pending = [];
    if (unit.settings.length >= maxSettings) {
      unit.problems.push(`line ${number}: more than ${maxSettings} settings, the rest is not read`);
      return unit;
    }
  }
  addLine(unit, section, pending.join(" ").trim(), number);
  return unit;
}

function addLine(unit: UnitFile, section: string, line: string, number: number): string {
  if (line === "") return section;
  const header = /^\[([^\]]*)\]$/.exec(line);
  if (header !== null) return header[1] ?? "";
  const equals = line.indexOf("=");
  if (equals <= 0 || section === "") {
    if (unit.problems.length < 20) unit.problems.push(`line ${number}: no setting`);
    return section;
  }
  unit.settings.push({
    section,
    key: line.slice(0, equals).trim(),
    value: line.slice(equals + 1).trim(),
  });
  return section;
}

/** The settings of a unit and its drop-ins, in the order in which systemd reads them. */
export class UnitSettings {
  readonly #settings: readonly UnitSetting[];

  constructor(files: readonly UnitFile[]) {
    this.#settings = files.flatMap((file) => file.settings);
  }

  /** All values; an empty assignment clears what came before it. */
  all(section: string, key: string): ByteString[] {
    const values: ByteString[] = [];
    for (const setting of this.#settings) {
      if (setting.section !== section || setting.key !== key) continue;
      if (setting.value === "") values.length = 0;
      else values.push(setting.value);
    }
    return values;
  }

  /** Of several keys of one list in the order in which they stand; an empty assignment of any clears what came before it. */
  ordered(section: string, keys: readonly string[]): UnitSetting[] {
    const found: UnitSetting[] = [];
    for (const setting of this.#settings) {
      if (setting.section !== section || !keys.includes(setting.key)) continue;
      if (setting.value === "") found.length = 0;
      else found.push(setting);
    }
    return found;
  }

  /** The value that counts; undefined where unset or cleared. */
  last(section: string, key: string): ByteString | undefined {
    return this.all(section, key).at(-1);
  }

  /** All values of a list setting, split at spaces. */
  list(section: string, key: string): ByteString[] {
    return this.all(section, key).flatMap((value) => splitWords(value).map((word) => word.text));
  }
}

export interface ExecCommand {
  /** Program and arguments; variables are not yet expanded. */
  argv: ByteString[];
  /** Arguments of argv that are exactly `$NAME` outside quotes: they vanish or split when expanded. */
  splitting: boolean[];
  /** `-`: failure does not count. */
  ignoreFailure: boolean;
  /** `+` or `!` or `!!`: with full privileges, User= does not apply. */
  privileged: boolean;
  /** `:`: no variable expansion. */
  literal: boolean;
  /** `@`: the first argument is argv[0]; undefined where it is the program itself. */
  argv0: ByteString | undefined;
}

/** An ExecStart= value: several commands where ` ; ` separates them. */
export function parseExec(value: ByteString): ExecCommand[] {
  const commands: ExecCommand[] = [];
  let group: { text: string; quoted: boolean }[] = [];
  for (const word of [...splitWords(value), { text: ";", quoted: false }]) {
    if (word.quoted || word.text !== ";") {
      group.push(word.text === "\\;" ? { text: ";", quoted: true } : word);
      continue;
    }
    const command = commandOf(group);
    if (command !== undefined) commands.push(command);
    group = [];
  }
  return commands;
}

function commandOf(words: { text: string; quoted: boolean }[]): ExecCommand | undefined {
  const [first, ...rest] = words;
  if (first === undefined) return undefined;
  const prefix = /^[-@+!:|]*/.exec(first.text)?.[0] ?? "";
  const program = first.text.slice(prefix.length);
  if (program === "") return undefined;
  const named = prefix.includes("@");
  const args = named ? rest.slice(1) : rest;
  return {
    argv: [program, ...args.map((word) => word.text)],
    splitting: [false, ...args.map((word) => !word.quoted && /^\$[A-Za-z_]\w*$/.test(word.text))],
    ignoreFailure: prefix.includes("-"),
    privileged: prefix.includes("+") || prefix.includes("!"),
    literal: prefix.includes(":"),
    argv0: named ? rest[0]?.text : undefined,
  };
}

/** Expands $NAME and ${NAME} as systemd does; what is not set becomes empty, a lone unset $NAME vanishes. */
export function expandCommand(
  command: ExecCommand,
  environment: Readonly<Record<string, ByteString>>,
): ByteString[] {
  if (command.literal) return [...command.argv];
  return command.argv.flatMap((argument, index) => {
    if (index > 0 && command.splitting[index] === true) {
      return splitWords(environment[argument.slice(1)] ?? "").map((word) => word.text);
    }
    return [
      argument.replace(/\$\$|\$\{([A-Za-z_]\w*)\}/g, (found, name) =>
        found === "$$" ? "$" : (environment[name] ?? ""),
      ),
    ];
  });
}

/** Environment= values into assignments. */
export function parseEnvironment(values: readonly ByteString[]): Record<string, ByteString> {
  const environment: Record<string, ByteString> = Object.create(null);
  for (const value of values) {
    for (const word of splitWords(value)) {
      const match = /^([A-Za-z_]\w*)=(.*)$/s.exec(word.text);
      if (match?.[1] !== undefined) environment[match[1]] = match[2] ?? "";
    }
  }
  return environment;
}
