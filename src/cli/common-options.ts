import type { OptionSpec } from "./verb.ts";

/** Flags that every verb takes, before or after its name. */
export const commonOptions: readonly OptionSpec[] = [
  {
    flags: "--root <DIR>",
    summary:
      "where state lives (TRANSHIP_ROOT; default /var/lib/tranship for root, else the XDG data folder)",
  },
  {
    flags: "--log-level <LEVEL>",
    summary: "debug, info, warn or error",
    choices: ["debug", "info", "warn", "error"],
  },
  { flags: "--log-format <FORMAT>", summary: "text or json, on stderr", choices: ["text", "json"] },
  { flags: "--no-color", summary: "no colours (also NO_COLOR and TERM=dumb)" },
  { flags: "--no-input", summary: "never ask; fail where an answer would be needed" },
  { flags: "--yes", summary: "answer yes to questions" },
];
