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
  // With -S the rest is split; without it the whole argument is the name.
  const split = /^(?:-S|--split-string=?)\s*(.*)$/.exec(argument);
  if (split === null) return argument.startsWith("-") ? undefined : argument;
  return (split[1] ?? "").split(/\s+/).find((word) => word !== "" && !/^-|=/.test(word));
}
