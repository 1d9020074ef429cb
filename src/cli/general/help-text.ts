// Option lines for help texts and docs/reference/cli.md.
import { commonOptions } from "../common-options.ts";

export function commonOptionLines(): string {
  const width = Math.max(...commonOptions.map((option) => option.flags.length)) + 2;
  return commonOptions.map((option) => `  ${option.flags.padEnd(width)}${option.summary}\n`).join("");
}
