// --dry-run for machines over ssh: every command that would run there and every path that would be read, before anything is touched.
import { inPlaceSteps } from "../../capture/sandbox/in-place-steps.ts";
import { contentRead, discoverReads, everythingRead } from "../../discover/reads.ts";
import { shellWords } from "../../formats/shell-words.ts";
import { dryRunName, remoteSteps } from "../../machine/ssh/dry-run.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { flag, type OptionValues, text } from "../verb.ts";
import { sshChoices } from "./with-machine.ts";

const reads = {
  discover: discoverReads,
  assess: [...discoverReads, ...everythingRead],
  capture: [...discoverReads, ...everythingRead, ...contentRead],
};

/** True where it was asked for and told: then the verb has nothing more to do. */
export function remoteDryRun(
  address: string,
  verb: keyof typeof reads,
  options: OptionValues,
  context: Context,
  command: readonly string[] = [],
): boolean {
  if (!flag(options, "dryRun") || !address.startsWith("ssh:")) return false;
  const choices = sshChoices(options, context);
  const { ssh, steps: reading } = remoteSteps(address, choices);
  const steps = [
    ...reading,
    ...(flag(options, "inPlace")
      ? inPlaceSteps(dryRunName, {
          command, mode: text(options, "tracer") ?? "auto", exercise: text(options, "exercise"), sudo: choices.sudo,
        }) // biome-ignore format: short
      : []),
  ];
  const paths = [...reads[verb]];
  const width = Math.max(...paths.map(({ path }) => path.length));
  const format = text(options, "format");
  if (format !== undefined && format !== "table") {
    context.print(printValue({ machine: address, ssh, commands: steps, reads: paths }, format));
    return true;
  }
  context.print(
    [
      "nothing was done. This would run here:",
      `  ${shellWords(ssh)} COMMAND`,
      "and there, as COMMAND:",
      ...steps.flatMap(({ what, command }) => [`  # ${what}`, `  ${command}`]),
      "and this would be read there (* stands for any part of a name, ** for any path):",
      ...paths.map(({ path, what }) => `  ${path.padEnd(width)}  ${what}`),
    ].join("\n"),
  );
  return true;
}
