// Verbs that change what an instance is doing, or what is known of it: as in docker.
import type { Verb } from "../verb.ts";
import { limitOptions } from "./limits.ts";
import { clockOptions, dryRunOption, ruleOptions } from "./options.ts";
import { instances as group } from "./run.ts";

const instance = { name: "INSTANCE", summary: "name or id, shortened while unique" };
const instances = { name: "<INSTANCE...>", summary: "names or ids, shortened while unique" };

export const instanceStateVerbs: readonly Verb[] = [
  {
    name: "restart",
    group,
    summary: "Stop instances and start them again",
    examples: ["tranship restart shop", "tranship restart -t 30 shop"],
    arguments: [instances],
    options: [
      { flags: "-t, --time <SECONDS>", summary: "until SIGKILL; -1: never" },
      { flags: "--timeout <SECONDS>", summary: "the same" },
      { flags: "-s, --signal <SIGNAL>", summary: "what asks it to stop" },
    ],
    load: () => import("../instances/restart.ts"),
  },
  {
    name: "pause",
    group,
    summary: "Stop all processes of instances where they are",
    examples: ["tranship pause shop"],
    arguments: [instances],
    load: () => import("../instances/pause.ts"),
  },
  {
    name: "unpause",
    group,
    summary: "Let paused instances go on",
    examples: ["tranship unpause shop"],
    arguments: [instances],
    load: () => import("../instances/unpause.ts"),
  },
  {
    name: "rename",
    group,
    summary: "Give an instance another name",
    examples: ["tranship rename shop old-shop"],
    arguments: [instance, { name: "NAME", summary: "its new name" }],
    load: () => import("../instances/rename.ts"),
  },
  {
    name: "update",
    group,
    summary: "Change limits, the restart rule, the clock and redirections of instances, also while they run",
    description:
      "0 takes a limit away. Clock and redirections are those of instances in process; their programs see them at once, and later starts have them.",
    examples: [
      "tranship update --memory 1g --cpus 2 shop",
      "tranship update --restart unless-stopped shop",
      "tranship update --clock @2009-01-01 shop",
      "tranship update --redirect /opt/legacy=/srv/legacy-2 --connect-rm 192.168.2.1:3306 shop",
    ],
    arguments: [instances],
    options: [
      ...limitOptions,
      { flags: "--restart <POLICY>", summary: "no, on-failure[:N], always or unless-stopped" },
      ...clockOptions,
      ...ruleOptions,
      { flags: "--redirect-rm <FROM>", summary: "take the redirection of this path away", many: true },
      { flags: "--connect-rm <IP:PORT>", summary: "take the redirection of this address away", many: true },
    ],
    load: () => import("../instances/update.ts"),
  },
  {
    name: "prune",
    group,
    summary: "Remove all instances that do not run",
    examples: ["tranship prune", "tranship prune --force --filter until=24h"],
    options: [
      { flags: "-f, --force", summary: "without a question" },
      {
        flags: "--filter <KEY=VALUE>",
        summary: "until=TIME, label=KEY[=VALUE], label!=KEY[=VALUE]",
        many: true,
      },
      dryRunOption,
    ],
    load: () => import("../instances/prune.ts"),
  },
  {
    name: "boot",
    group,
    summary: "Start what the restart rules want to run after a reboot of this host",
    description:
      "To be called once a boot; --install makes a systemd unit that does. What was started in this boot already is left alone.",
    examples: ["tranship boot --install", "tranship boot", "tranship boot --dry-run"],
    options: [
      { flags: "--down", summary: "stop everything that runs, so that the next boot starts it again" },
      { flags: "--print", summary: "print the systemd unit" },
      { flags: "--install", summary: "write the systemd unit and enable it" },
      { flags: "--unit-dir <DIR>", summary: "where --install writes it (default /etc/systemd/system)" },
      dryRunOption,
    ],
    load: () => import("../instances/boot.ts"),
  },
];
