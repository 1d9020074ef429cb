// Verbs that look into instances, and copy files from and to them: as in docker.
import type { Verb } from "../verb.ts";
import { formatOption } from "./options.ts";
import { instances as group } from "./run.ts";

const instance = { name: "INSTANCE", summary: "name or id, shortened while unique" };

export const instanceLookVerbs: readonly Verb[] = [
  {
    name: "top",
    group,
    summary: "Show the processes of an instance",
    description:
      "Options of ps follow the instance; -ef where there are none. Processes have the numbers of the host.",
    examples: ["tranship top shop", "tranship top shop -o pid,user,args"],
    arguments: [instance, { name: "[OPTIONS...]", summary: "options of ps" }],
    options: [formatOption],
    passThrough: true,
    load: () => import("../instances/top.ts"),
  },
  {
    name: "attach",
    group,
    summary: "Look at what a detached instance writes, and type into it",
    description:
      "With a terminal (run -dt) or standard input (run -di) what is typed goes to the program. The detach keys leave it running. The exit status is the instance's own.",
    examples: ["tranship attach shell", "tranship attach --detach-keys ctrl-x,x shell"],
    arguments: [instance],
    options: [
      { flags: "--detach-keys <KEYS>", summary: "what leaves it alone (default ctrl-p,ctrl-q)" },
      { flags: "--no-stdin", summary: "only look" },
      { flags: "--sig-proxy [BOOL]", summary: "pass signals on to it (default true)" },
    ],
    load: () => import("../instances/attach.ts"),
  },
  {
    name: "stats",
    group,
    summary: "Show what instances use: processors, memory, network, disk",
    examples: ["tranship stats", "tranship stats --no-stream --format json shop"],
    arguments: [{ name: "[INSTANCE...]", summary: "names or ids; all that run where none is given" }],
    options: [
      { flags: "-a, --all", summary: "also those that do not run" },
      { flags: "--no-stream", summary: "once, instead of again and again" },
      { flags: "--no-trunc", summary: "do not shorten" },
      formatOption,
    ],
    load: () => import("../instances/stats.ts"),
  },
  {
    name: "events",
    group,
    summary: "Print what happens to instances, volumes and networks",
    description:
      "Goes on until it is stopped, or until --until. With --since also what happened before. JSON and templates give a line for each event.",
    examples: ["tranship events", "tranship events --since 1h --until 0s --filter event=die"],
    options: [
      { flags: "--since <TIME>", summary: "from then on: a time, or a duration before now" },
      { flags: "--until <TIME>", summary: "up to then" },
      {
        flags: "-f, --filter <KEY=VALUE>",
        summary: "instance, event, type, image, label, volume or network",
        many: true,
      },
      { flags: "--format <FORMAT>", summary: "json or a template such as '{{.Action}} {{.ID}}'" },
    ],
    load: () => import("../instances/events.ts"),
  },
  {
    name: "history",
    group,
    summary: "List the runs of an instance or a package: how long, how they ended, what they used and wrote",
    description:
      "Runs of removed instances are kept. RAN is the time from start to end, PEAK MEM the memory of its largest process, FILES how many files of its own root it wrote.",
    examples: ["tranship history shop", "tranship history -n 5 --format json shop:1"],
    arguments: [
      { name: "[INSTANCE]", summary: "an instance, also a removed one, or a package; all runs where absent" },
    ],
    options: [
      { flags: "-n, --last <NUMBER>", summary: "only the last runs" },
      { flags: "--no-trunc", summary: "do not shorten" },
      formatOption,
    ],
    load: () => import("../instances/history.ts"),
  },
  {
    name: "diff",
    group,
    summary: "List what an instance changed of its package: A added, C changed, D removed",
    examples: ["tranship diff shop", "tranship diff --format json shop"],
    arguments: [instance],
    options: [formatOption],
    load: () => import("../instances/diff.ts"),
  },
  {
    name: "cp",
    group,
    summary: "Copy files between an instance and here; - is a tar stream",
    description: "The instance may run or not. Links inside lead nowhere outside of it.",
    examples: [
      "tranship cp shop:/var/log/apache2 ./logs",
      "tranship cp ./php.ini shop:/etc/php/8.2/apache2/php.ini",
      "tranship cp shop:/etc -",
    ],
    arguments: [
      { name: "FROM", summary: "INSTANCE:PATH, a path here, or - (an archive on standard input)" },
      { name: "TO", summary: "a path here, - (an archive on standard output), or INSTANCE:PATH" },
    ],
    options: [
      { flags: "-a, --archive", summary: "keep owners" },
      { flags: "-L, --follow-link", summary: "a link that is named means what it leads to" },
      { flags: "-q, --quiet", summary: "say nothing" },
    ],
    load: () => import("../instances/cp.ts"),
  },
];
