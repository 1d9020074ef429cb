// The environment of a running program, sorted: what the package keeps, what is a secret, what belonged to its old session.
import { looksSecret, maskText } from "../../discover/mask.ts";
import type { ByteString } from "../../formats/entry.ts";
import type { EnvironmentSecret } from "../../package/descriptor.ts";
import { exactText } from "../application/descriptor-text.ts";
import { isOfTheSession } from "./command-words.ts";

export interface SortedEnvironment {
  kept: Record<string, string>;
  secrets: EnvironmentSecret[];
}

/** Of the session, and yet what a program may go by. */
const wanted = /^(PATH|HOME|LANG|LANGUAGE|LC_[A-Z]+|USER|LOGNAME|SHELL|TMPDIR)$/;
/** A program is told what it was given by the manager of its machine; init is another one. */
const ofTheManager =
  /^(RUNTIME|STATE|CACHE|LOGS|CONFIGURATION|CREDENTIALS)_DIRECTORY$|^(MEMORY_PRESSURE_\w+|upstart_\w+|UPSTART_\w+|RC_\w+|runlevel|RUNLEVEL|previous|PREVLEVEL)$/;
/** File names, not secrets: the file is looked at for itself. */
const namesFile = /^\/[\w./@+-]+$/;

/** `keep`: names that the operator wants in the package although they look like secrets. */
export function sortEnvironment(
  environment: Readonly<Record<string, ByteString>>,
  keep: ReadonlySet<string>,
): SortedEnvironment {
  const sorted: SortedEnvironment = { kept: {}, secrets: [] };
  for (const name of Object.keys(environment).sort()) {
    const value = environment[name] ?? "";
    if ((isOfTheSession(name) && !wanted.test(name)) || ofTheManager.test(name)) continue;
    const secret = secretBecause(name, value);
    if (secret !== undefined && !keep.has(name))
      sorted.secrets.push({ delivery: "env", name, required: true, reason: secret });
    else sorted.kept[name] = exactText(value, `the variable ${name}`);
  }
  return sorted;
}

/** The rule: the name says so and the value is neither empty nor a path, or the value holds what masking would hide. */
export function secretBecause(name: string, value: ByteString): string | undefined {
  if (value === "" || /^(yes|no|true|false|on|off|[01])$/i.test(value)) return undefined;
  if (looksSecret(name))
    return namesFile.test(value) ? undefined : "a variable whose name says that it is a secret";
  return maskText(value) === value ? undefined : "a variable that holds a password";
}
