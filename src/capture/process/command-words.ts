// The command that starts a running program once more, from what /proc shows of it; and the files that it names.
import type { ProcessSnapshot } from "../../discover/process-snapshot.ts";
import { baseName } from "../../discover/source.ts";
import type { ByteString } from "../../formats/entry.ts";
import type { MachineFiles } from "../../machine/machine.ts";
import { insidePath } from "../../package/container-config.ts";

export interface FoundCommand {
  argv: ByteString[];
  /** What a person should know of how it was told. */
  note?: string;
}

/** Titles that keep the command: what stands before it. */
const titles: readonly RegExp[] = [
  /^nginx: master process (?=\S)/,
  /^[\w./-]+: (?:master|main) process (?=\/)/,
];

/** Undefined where the program wrote a title over its command line that does not hold the command. */
export async function commandOf(
  main: ProcessSnapshot,
  program: ByteString,
  files: MachineFiles,
): Promise<FoundCommand | undefined> {
  if (!main.retitled) return { argv: [await programWord(main, program, files), ...main.arguments.slice(1)] };
  const title = (main.arguments[0] ?? "").trim();
  const pattern = titles.find((one) => one.test(title));
  if (pattern === undefined) return undefined;
  const [, ...rest] = splitTitle(title.replace(pattern, ""));
  return {
    argv: [program, ...rest],
    note: `the command is read from the title ${JSON.stringify(title)}: an argument with a space in it would be split`,
  };
}

/** `nginx -g daemon off; -c x`: the value of -g is the one with spaces that such titles have. */
function splitTitle(text: string): string[] {
  const words: string[] = [];
  let rest = text.trim();
  while (rest !== "") {
    const directive = /^-g ((?:[^;]*;)+)(?: |$)/.exec(rest);
    if (directive?.[1] !== undefined) {
      words.push("-g", directive[1]);
      rest = rest.slice(directive[0].length).trim();
      continue;
    }
    const [word = ""] = rest.split(/\s+/, 1);
    words.push(word);
    rest = rest.slice(word.length).trim();
  }
  return words;
}

/** The name by which it was started, where that leads to the program: what a multi-call program does depends on it. */
async function programWord(
  main: ProcessSnapshot,
  program: ByteString,
  files: MachineFiles,
): Promise<ByteString> {
  const named = main.arguments[0] ?? "";
  if (named === program || named === "" || baseName(named) === baseName(program)) return program;
  const directories = (main.environment.PATH ?? insidePath).split(":").filter((one) => one.startsWith("/"));
  const candidates = named.startsWith("/")
    ? [named]
    : named.includes("/")
      ? []
      : directories.slice(0, 64).map((one) => `${one}/${named}`);
  for (const candidate of candidates) {
    const { entry } = await files.resolve(candidate);
    if (entry?.path === program) return candidate;
  }
  return program;
}

const maxNamed = 500;

/** Absolute paths inside the words of a command line, and words that name a file beside the working directory. Not yet looked up. */
export function pathsInCommand(words: readonly ByteString[], workingDirectory: ByteString): ByteString[] {
  const found = new Set<ByteString>();
  for (const word of words.slice(0, 4096)) {
    if (word.length > 8192) continue;
    for (const match of word.matchAll(/(?:^|[=,:;\s'"]|^-[A-Za-z])(\/[^,:;='"\s]+)/g))
      found.add(trimmed(match[1] ?? ""));
    if (word.startsWith("/")) found.add(trimmed(word));
    else if (!word.startsWith("-") && word.length < 4096 && /[./]|\w/.test(word) && !/[=\s]/.test(word))
      found.add(normal(`${workingDirectory === "/" ? "" : workingDirectory}/${word}`));
    if (found.size >= maxNamed) break;
  }
  found.delete("/");
  return [...found];
}

function trimmed(path: ByteString): ByteString {
  return normal(path);
}

function normal(path: ByteString): ByteString {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") parts.pop();
    else parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** Variables whose directories say nothing of the application. */
const ofTheSession =
  /^(PATH|PWD|OLDPWD|HOME|SHELL|USER|LOGNAME|MAIL|TERM|TERMINFO|LS_COLORS|LANG|LANGUAGE|LC_\w+|TMP|TMPDIR|TEMP|XDG_\w+|SSH_\w+|DBUS_\w+|SUDO_\w+|DISPLAY|EDITOR|PAGER|INVOCATION_ID|JOURNAL_STREAM|NOTIFY_SOCKET|LISTEN_\w+|MAINPID|MANAGERPID|SYSTEMD_\w+|WATCHDOG_\w+|SHLVL|_|HOSTNAME|COLUMNS|LINES|FORCE_COLOR|NO_COLOR)$/;

export function isOfTheSession(name: string): boolean {
  return ofTheSession.test(name);
}

export function pathsInEnvironment(environment: Readonly<Record<string, ByteString>>): ByteString[] {
  const found = new Set<ByteString>();
  for (const [name, value] of Object.entries(environment)) {
    if (isOfTheSession(name) || value.length > 65_536) continue;
    for (const part of value.split(/[:;,\s=]/).slice(0, 100))
      if (/^\/[^/]/.test(part) && part.length < 4096 && found.size < maxNamed) found.add(trimmed(part));
  }
  found.delete("/");
  return [...found];
}
