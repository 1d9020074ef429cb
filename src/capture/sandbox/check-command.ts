// The command of a capture, looked up before anything is started: a typing error must not cost a sandbox.
import { TranshipError } from "../../base/errors.ts";
import { encodeText, escapeBytes } from "../../formats/escape.ts";
import type { Machine } from "../../machine/machine.ts";
import { insidePath } from "../../package/container-config.ts";

/** The command with its program as an absolute path. E_COMMAND_NOT_FOUND says where it was looked for. */
export async function checkCommand(
  machine: Machine,
  command: readonly string[],
  workingDirectory = "/",
): Promise<string[]> {
  const [program, ...rest] = command;
  if (program === undefined) return [];
  const candidates = program.includes("/")
    ? [program.startsWith("/") ? program : `${workingDirectory.replace(/\/$/, "")}/${program}`]
    : insidePath.split(":").map((directory) => `${directory}/${program}`);
  for (const candidate of candidates) {
    const { entry } = await machine.files.resolve(encodeText(candidate));
    if (entry === undefined) continue;
    if (entry.kind !== "file" || (entry.mode & 0o111) === 0) {
      if (!program.includes("/")) continue;
      throw new TranshipError(
        "E_COMMAND_NOT_FOUND",
        `${candidate} on ${machine.address} is no executable file (${entry.kind}, mode ${entry.mode.toString(8)})`,
        {
          hint: "name a program",
        },
      );
    }
    return [candidate, ...rest];
  }
  throw new TranshipError(
    "E_COMMAND_NOT_FOUND",
    `${escapeBytes(encodeText(program))} does not exist on ${machine.address}`,
    {
      hint: program.includes("/")
        ? "the path is looked up inside the machine's root"
        : `it is in none of ${insidePath}`,
      details: { candidates },
    },
  );
}
