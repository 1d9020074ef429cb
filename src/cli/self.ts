// Our own command line up to the verb, for a program that is to call us again: same Node, same state root, same manner of talking.
import type { StateRoot } from "../host/state-root.ts";
import { type OptionValues, text } from "./verb.ts";

export function selfCommand(root: StateRoot, options: OptionValues): string[] {
  const level = text(options, "logLevel");
  const format = text(options, "logFormat");
  return [
    process.execPath,
    ...process.execArgv,
    process.argv[1] ?? "",
    ...["--root", root.path],
    ...(level === undefined ? [] : ["--log-level", level]),
    ...(format === undefined ? [] : ["--log-format", format]),
    ...(options.color === false ? ["--no-color"] : []),
  ];
}
