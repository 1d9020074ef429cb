// --tether MACHINE and how it is reached, as the instance's record keeps it: every start opens the machine anew.
import { resolve } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { checkAddress } from "../../machine/address.ts";
import type { TetherChoice } from "../../runtime/record.ts";
import { partitionOf } from "../capture/partition.ts";
import { flag, list, type OptionValues, text } from "../verb.ts";

/** Who opens it later has another working directory. */
function absolute(machine: string): string {
  const [, kind, path] = /^(rootfs|disk):(.*)$/s.exec(machine) ?? [];
  return kind === undefined || path === undefined ? machine : `${kind}:${resolve(path)}`;
}

export function tetherChoice(machine: string, options: OptionValues): TetherChoice {
  checkAddress(machine);
  if (flag(options, "readOnly")) {
    throw new TranshipError(
      "E_USAGE",
      "--tether and --read-only contradict each other: what is fetched is written",
      {
        hint: "leave --read-only out until `package freeze` has made the package whole",
      },
    );
  }
  return {
    machine: absolute(machine),
    sshOptions: list(options, "sshOption"),
    push: options.push !== false,
    sudo: flag(options, "sudo"),
    partition: partitionOf(text(options, "partition")),
  };
}
