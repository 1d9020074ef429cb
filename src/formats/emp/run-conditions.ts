// Command lines in the files of an EMP folder: words as Windows splits them, and the run conditions that they name.

/** The words of a command line, by the rules of CommandLineToArgvW: quotes group, a backslash counts only before a quote. */
export function splitArguments(line: string): string[] {
  const found: string[] = [];
  let at = 0;
  while (at < line.length) {
    while (line[at] === " " || line[at] === "\t") at++;
    if (at >= line.length) break;
    let word = "";
    let quoted = false;
    for (; at < line.length; at++) {
      const char = line[at] ?? "";
      if (char === "\\") {
        const run = /^\\+/.exec(line.slice(at))?.[0].length ?? 1;
        const before = line[at + run] === '"';
        word += "\\".repeat(before ? Math.floor(run / 2) : run);
        at += run - 1;
        if (before && run % 2 === 1) {
          word += '"';
          at++;
        }
      } else if (char === '"') {
        if (quoted && line[at + 1] === '"') {
          word += '"';
          at++;
        } else quoted = !quoted;
      } else if (!quoted && (char === " " || char === "\t")) break;
      else word += char;
    }
    found.push(word);
  }
  return found;
}

/** A command line that splitArguments() takes apart into these words. */
export function joinArguments(words: readonly string[]): string {
  return words.map(quoted).join(" ");
}

function quoted(word: string): string {
  if (word !== "" && !/[ \t\n"]/.test(word)) return word;
  const escaped = word.replace(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, "$1$1");
  return `"${escaped}"`;
}

/** "run5" of `...Run.exe /RunConditions run5`; undefined where none is named. */
export function runConditionIn(line: string): string | undefined {
  const words = splitArguments(line);
  const at = words.findIndex((word) => /^[/-]runconditions?$/i.test(word));
  return at < 0 ? undefined : words[at + 1];
}

export const defaultDirectory = "%DefaultDir%";
const runner = "Compatibility.Package.Run.exe";
const launcher = "Compatibility.Package.Engine.exe";

/** What starts a run condition of a deployed package. */
export function runnerOf(): { path: string; arguments(condition: string): string } {
  return {
    path: `${defaultDirectory}\\${runner}`,
    arguments: (condition) => `/RunConditions ${joinArguments([condition])}`,
  };
}

export const enginePath = `${defaultDirectory}\\${launcher}`;

/** The program that the engine is to start, and its arguments; what is no call of the engine stays as it is. */
export function engineCall(path: string, line: string): { program: string; arguments: string[] } {
  const words = splitArguments(line);
  const isEngine = path.toLowerCase().endsWith(launcher.toLowerCase());
  const [flag = "", program, ...rest] = words;
  if (!isEngine || !/^[/-]f$/i.test(flag) || program === undefined)
    return { program: path, arguments: words };
  return { program, arguments: rest };
}

/** The path below the deployed package, parts with / between them; undefined where it lies elsewhere. */
export function belowDefaultDirectory(path: string): string | undefined {
  const rest = new RegExp(`^${defaultDirectory}[\\\\/]+`, "i").exec(path);
  return rest === null ? undefined : path.slice(rest[0].length).replaceAll("\\", "/");
}
