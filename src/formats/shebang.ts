// "#! interpreter argument": as the kernel reads it, and what `env` then looks for.
import type { ByteString } from "./entry.ts";

export interface Shebang {
  interpreter: ByteString;
  /** All that follows the interpreter is one argument. */
  argument: ByteString | undefined;
  /** The program that `env` is asked to find by PATH; undefined where the interpreter is not env. */
  envProgram: ByteString | undefined;
}

/** `head`: the first 256 bytes of the file or more. */
export function parseShebang(head: Uint8Array): Shebang | undefined {
  if (head[0] !== 0x23 || head[1] !== 0x21) return undefined;
  let line = "";
  for (const byte of head.subarray(2, 256)) {
    if (byte === 0x0a || byte === 0) break;
    line += String.fromCharCode(byte);
  }
  const match = /^[ \t]*([^ \t\r]+)[ \t]*(.*?)[ \t\r]*$/.exec(line);
  const interpreter = match?.[1];
  if (interpreter === undefined) return undefined;
  const argument = match?.[2] === "" ? undefined : match?.[2];
  return { interpreter, argument, envProgram: envProgram(interpreter, argument) };
}

function envProgram(interpreter: ByteString, argument: ByteString | undefined): ByteString | undefined {
  if (!/(^|\/)env$/.test(interpreter) || argument === undefined) return undefined;
  // With -S (also in a group: -vS, -iS) the rest is split; without it the whole argument is the name.
  const split = /^(?:-[0iv]*S|--split-string=?)\s*(.*)$/.exec(argument);
  if (split === null) return argument.startsWith("-") ? undefined : argument;
  const words = splitWords(split[1] ?? "");
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (/^(-u|-C|--unset|--chdir)$/.test(word)) at++;
    else if (word !== "" && !/^-|^[^/]*=/.test(word)) return word;
  }
  return undefined;
}

/** Words of env -S: blanks part them, quotes hold them together, a backslash takes the next character as it is. */
function splitWords(text: ByteString): ByteString[] {
  return [...text.matchAll(/(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+/g)].map(([word]) =>
    word
      .replace(
        /"((?:[^"\\]|\\.)*)"|'([^']*)'/g,
        (_, double?: string, single?: string) => double ?? single ?? "",
      )
      .replace(/\\(.)/g, "$1"),
  );
}
