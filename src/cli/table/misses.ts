// Verbs of observed instances: apart from the others of instances, because they bring captures and machines along, which hot.ts does without.
import type { Verb } from "../verb.ts";
import { formatOption, reachOptions } from "./options.ts";
import { instances as group } from "./run.ts";

export const missVerbs: readonly Verb[] = [
  {
    name: "misses",
    group,
    summary: "List what observed instances looked for and their package lacks",
    description:
      "For instances of `run --observe`. Told is what the capture left out or did not take, and with --against what the source has beyond that. " +
      "`capture ... --add-misses INSTANCE` takes it in.",
    examples: ["tranship misses shop", "tranship misses shop --against rootfs:/mnt/old --format json"],
    arguments: [{ name: "INSTANCE", summary: "name or id; or a package: all its observed instances" }],
    options: [
      { flags: "--against <MACHINE>", summary: "the source: what exists there is told too" },
      { flags: "-a, --all", summary: "also what is on no list, and what the source lacks too" },
      ...reachOptions,
      formatOption,
    ],
    load: () => import("../instances/misses.ts"),
  },
  {
    name: "internal observed-ended",
    group,
    hidden: true,
    summary:
      "Called where an observed instance in the foreground has ended: tells what it missed, then as foreground-ended",
    examples: ["tranship internal observed-ended ID 0"],
    arguments: [
      { name: "ID", summary: "the instance" },
      { name: "STATUS", summary: "how it ended" },
    ],
    load: () => import("../instances/observed-ended.ts"),
  },
  {
    name: "internal tether",
    group,
    hidden: true,
    summary: "Holds the source of a tethered instance and answers its tracer, as long as that lives",
    examples: ["tranship internal tether ID"],
    arguments: [{ name: "ID", summary: "the instance" }],
    load: () => import("../instances/tether.ts"),
  },
];
