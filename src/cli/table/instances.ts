// Verbs for instances: as in docker.
import type { Verb } from "../verb.ts";
import { formatOption, listingOptions } from "./options.ts";
import { createOptions, instances as group, imageAndCommand, runVerb } from "./run.ts";

const instance = { name: "INSTANCE", summary: "name or id, shortened while unique" };
const instances = { name: "<INSTANCE...>", summary: "names or ids, shortened while unique" };

export const instanceVerbs: readonly Verb[] = [
  runVerb,
  {
    name: "create",
    group,
    summary: "Make an instance without starting it",
    examples: ["tranship create --name shop -p 8080:80 shop"],
    arguments: imageAndCommand,
    options: createOptions,
    passThrough: true,
    load: () => import("../instances/create.ts"),
  },
  {
    name: "start",
    group,
    summary: "Start stopped instances",
    examples: ["tranship start shop"],
    arguments: [instances],
    options: [
      { flags: "--new-identity", summary: "with ids and addresses of its own, not those it takes on" },
    ],
    load: () => import("../instances/start.ts"),
  },
  {
    name: "stop",
    group,
    summary: "Stop instances: services in reverse order, then SIGKILL after the timeout",
    examples: ["tranship stop shop", "tranship stop -t 30 shop"],
    arguments: [instances],
    options: [{ flags: "-t, --time <SECONDS>", summary: "until SIGKILL" }],
    load: () => import("../instances/stop.ts"),
  },
  {
    name: "kill",
    group,
    summary: "Send a signal to instances",
    examples: ["tranship kill shop", "tranship kill -s HUP shop"],
    arguments: [instances],
    options: [{ flags: "-s, --signal <SIGNAL>", summary: "the signal", default: "KILL" }],
    load: () => import("../instances/kill.ts"),
  },
  {
    name: "wait",
    group,
    summary: "Wait until instances end and print their exit statuses",
    examples: ["tranship wait shop"],
    arguments: [instances],
    load: () => import("../instances/wait.ts"),
  },
  {
    name: "rm",
    group,
    summary: "Remove instances",
    examples: ["tranship rm shop", "tranship rm -f -v shop"],
    arguments: [instances],
    options: [
      { flags: "-f, --force", summary: "stop it first" },
      { flags: "-v, --volumes", summary: "its anonymous volumes too" },
    ],
    load: () => import("../instances/rm.ts"),
  },
  {
    name: "ps",
    group,
    summary: "List instances",
    examples: ["tranship ps", "tranship ps -a --format json"],
    options: [{ flags: "-a, --all", summary: "also those that do not run" }, ...listingOptions],
    load: () => import("../instances/ps.ts"),
  },
  {
    name: "logs",
    group,
    summary: "Print what an instance wrote",
    examples: ["tranship logs -f shop", "tranship logs --tail 20 -t shop"],
    arguments: [instance],
    options: [
      { flags: "-f, --follow", summary: "go on as it writes" },
      { flags: "-n, --tail <LINES>", summary: "only the last lines" },
      { flags: "--since <TIME>", summary: "a time, or a duration before now" },
      { flags: "-t, --timestamps", summary: "each line with its time" },
      { flags: "--service <NAME>", summary: "only this service" },
    ],
    load: () => import("../instances/logs.ts"),
  },
  {
    name: "exec",
    group,
    summary: "Run a command in a running instance",
    examples: ["tranship exec -it shop /bin/sh", "tranship exec shop mysqladmin status"],
    arguments: [instance, { name: "<CMD...>", summary: "the command" }],
    options: [
      { flags: "-i, --interactive", summary: "keep standard input open" },
      { flags: "-t, --tty", summary: "give it a terminal" },
      { flags: "-d, --detach", summary: "in the background" },
      { flags: "-e, --env <NAME=VALUE>", summary: "a variable", many: true },
      { flags: "-w, --workdir <DIR>", summary: "where it starts" },
      { flags: "-u, --user <USER>", summary: "name or uid[:gid]" },
    ],
    passThrough: true,
    load: () => import("../instances/exec.ts"),
  },
  {
    name: "port",
    group,
    summary: "List the published ports of an instance",
    examples: ["tranship port shop"],
    arguments: [instance],
    options: [formatOption],
    load: () => import("../instances/port.ts"),
  },
  {
    name: "internal instance-ended",
    group,
    hidden: true,
    summary: "Called by the monitor when an instance ended: frees what it held, restarts or removes it",
    examples: ["tranship internal instance-ended ID"],
    arguments: [
      { name: "ID", summary: "the instance" },
      { name: "[STATUS]", summary: "how it ended" },
      { name: "[LAUNCH]", summary: "which start of it" },
    ],
    load: () => import("../instances/instance-ended.ts"),
  },
  {
    name: "internal foreground-ended",
    group,
    hidden: true,
    summary:
      "Called where a foreground instance left more than a few files: frees what it held, and ends with its status",
    examples: ["tranship internal foreground-ended ID 0"],
    arguments: [
      { name: "ID", summary: "the instance" },
      { name: "STATUS", summary: "how it ended" },
    ],
    load: () => import("../instances/foreground-ended.ts"),
  },
  {
    name: "internal network-idle",
    group,
    hidden: true,
    summary: "Called a while after the last instance: takes bridge, table and sysctls back",
    examples: ["tranship internal network-idle"],
    load: () => import("../instances/network-idle.ts"),
  },
];
