// Volumes and networks: as in docker.
import type { Verb } from "../verb.ts";
import { dryRunOption, formatOption, inspectFormatOption } from "./options.ts";

const group = "Volumes and networks";
const filterOption = { flags: "-f, --filter <KEY=VALUE>", summary: "only what fits", many: true };
const quietOption = { flags: "-q, --quiet", summary: "only names" };
const network = { name: "<NETWORK>", summary: "name or id" };
const networks = { name: "<NETWORK...>", summary: "names or ids" };
const instance = { name: "<INSTANCE>", summary: "name or id" };
const volumes = { name: "<VOLUME...>", summary: "names" };

export const resourceVerbs: readonly Verb[] = [
  {
    name: "volume ls",
    group,
    summary: "List volumes",
    description: "Filters: dangling=true (used by no instance), name, label.",
    examples: ["tranship volume ls", "tranship volume ls -q -f dangling=true"],
    options: [filterOption, quietOption, formatOption],
    load: () => import("../volumes/ls.ts"),
  },
  {
    name: "volume create",
    group,
    summary: "Make a volume",
    description:
      "What is put into it before its first use stays; one that is empty then is filled from the package.",
    examples: ["tranship volume create shopdata"],
    arguments: [{ name: "[VOLUME]", summary: "its name; one is made up where absent" }],
    options: [
      { flags: "-l, --label <KEY=VALUE>", summary: "a label", many: true },
      { flags: "-d, --driver <DRIVER>", summary: "local, and no other" },
    ],
    load: () => import("../volumes/create.ts"),
  },
  {
    name: "volume inspect",
    group,
    summary: "Show all that is known of volumes",
    examples: ["tranship volume inspect --format '{{.Mountpoint}}' shopdata"],
    arguments: [volumes],
    options: [inspectFormatOption],
    load: () => import("../volumes/inspect.ts"),
  },
  {
    name: "volume rm",
    group,
    summary: "Remove volumes with their content",
    examples: ["tranship volume rm shopdata"],
    arguments: [volumes],
    options: [{ flags: "-f, --force", summary: "no failure where there is none of that name" }],
    load: () => import("../volumes/rm.ts"),
  },
  {
    name: "volume prune",
    group,
    summary: "Remove anonymous volumes that no instance uses",
    examples: ["tranship volume prune", "tranship volume prune --all --force"],
    options: [
      { flags: "-a, --all", summary: "also those with a name" },
      { flags: "-f, --force", summary: "without a question" },
      { flags: "--filter <KEY=VALUE>", summary: "only what fits", many: true },
      dryRunOption,
    ],
    load: () => import("../volumes/prune.ts"),
  },
  {
    name: "network ls",
    group,
    summary: "List networks",
    description:
      "Filters: driver, id, label, name, scope, type (builtin, custom), dangling (used by no instance).",
    examples: ["tranship network ls", "tranship network ls -q -f type=custom"],
    options: [
      { ...filterOption, flags: "-f, --filter <KEY=VALUE>" },
      { flags: "-q, --quiet", summary: "only ids" },
      { flags: "--no-trunc", summary: "do not shorten" },
      formatOption,
    ],
    load: () => import("../networks/ls.ts"),
  },
  {
    name: "network inspect",
    group,
    summary: "Show addresses and running instances of networks",
    examples: ["tranship network inspect bridge"],
    arguments: [networks],
    options: [inspectFormatOption],
    load: () => import("../networks/inspect.ts"),
  },
  {
    name: "network create",
    group,
    summary: "Make a network whose instances know each other by name",
    description:
      "Networks are kept apart from each other. A subnet that a route of the host or another network has is refused. Bridge and rules are made with its first running instance.",
    examples: [
      "tranship network create shopnet",
      "tranship network create --subnet 192.168.231.0/24 --ipv6 --internal back",
    ],
    arguments: [{ name: "<NETWORK>", summary: "its name" }],
    options: [
      { flags: "--subnet <CIDR>", summary: "IPv4 or IPv6 subnet; a free one where absent", many: true },
      { flags: "--gateway <ADDRESS>", summary: "address of the host in the subnet", many: true },
      { flags: "--ip-range <CIDR>", summary: "the part of the IPv4 subnet that addresses are chosen from" },
      { flags: "--ipv6", summary: "IPv6 too, with unique local addresses where no --subnet names others" },
      { flags: "--internal", summary: "nothing but its instances and the host can be reached" },
      { flags: "--label <KEY=VALUE>", summary: "a label", many: true },
      { flags: "-d, --driver <DRIVER>", summary: "bridge, and no other" },
    ],
    load: () => import("../networks/create.ts"),
  },
  {
    name: "network connect",
    group,
    summary: "Put an instance on a further network, running or not",
    examples: [
      "tranship network connect shopnet shop",
      "tranship network connect --alias db --ip 192.168.231.9 back mariadb",
    ],
    arguments: [network, instance],
    options: [
      { flags: "--alias <NAME>", summary: "a further name of the instance there", many: true },
      { flags: "--ip <ADDRESS>", summary: "its IPv4 address" },
      { flags: "--ip6 <ADDRESS>", summary: "its IPv6 address" },
    ],
    load: () => import("../networks/connect.ts"),
  },
  {
    name: "network disconnect",
    group,
    summary: "Take an instance off a network, running or not",
    examples: ["tranship network disconnect shopnet shop"],
    arguments: [network, instance],
    options: [{ flags: "-f, --force", summary: "as docker has it; it makes no difference" }],
    load: () => import("../networks/disconnect.ts"),
  },
  {
    name: "network rm",
    group,
    summary: "Remove networks that no instance is on",
    examples: ["tranship network rm shopnet"],
    arguments: [networks],
    options: [{ flags: "-f, --force", summary: "no failure where there is none of that name" }],
    load: () => import("../networks/rm.ts"),
  },
  {
    name: "network prune",
    group,
    summary: "Remove all networks that no instance is on",
    description: "Filters: until=TIME (made before it), label, label!.",
    examples: ["tranship network prune", "tranship network prune -f --filter until=24h"],
    options: [
      { flags: "-f, --force", summary: "without a question" },
      { flags: "--filter <KEY=VALUE>", summary: "only what fits", many: true },
      dryRunOption,
    ],
    load: () => import("../networks/prune.ts"),
  },
];
