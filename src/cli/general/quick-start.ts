// What `tranship` says without arguments, and the list of verbs that `tranship help` adds.

import type { Verb } from "../verb.ts";
import { commonOptionLines } from "./help-text.ts";

const steps = `Tranship lifts a server application off its old machine as it stands and runs it on a modern one.

Five steps, here for an old root file system mounted at /mnt/old:

  1. tranship discover rootfs:/mnt/old                      what is there
  2. tranship assess rootfs:/mnt/old                        can it be lifted
  3. tranship capture run -m rootfs:/mnt/old -t shop \\
       --service apache2 --until-port 80                    make the package
  4. tranship test shop --against rootfs:/mnt/old           compare with the original
  5. tranship run -d -p 8080:80 shop                        run it

\`tranship lift\` does all of it; \`tranship demo\` shows it on an example; \`tranship help\` lists every verb.
`;

export function quickStart(verbs: readonly Verb[], all: boolean): string {
  if (!all) return steps;
  const shown = verbs.filter((verb) => verb.hidden !== true);
  const width = Math.max(...shown.map((verb) => verb.name.length)) + 2;
  let text = "Usage: tranship [flags] VERB [arguments]\n";
  for (const group of new Set(shown.map((verb) => verb.group))) {
    text += `\n${group}\n`;
    for (const verb of shown.filter((one) => one.group === group))
      text += `  ${verb.name.padEnd(width)}${verb.summary}\n`;
  }
  return `${text}\nFlags that every verb takes\n${commonOptionLines()}\n\`tranship VERB --help\` has examples first.\n`;
}
