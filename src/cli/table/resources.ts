// Volumes and networks: as in docker.
import type { Verb } from "../verb.ts";
import { dryRunOption, formatOption, inspectFormatOption } from "./options.ts";

const group = "Volumes and networks";
const filterOption = { flags: "-f, --filter <KEY=VALUE>", summary: "only what fits", many: true };
const quietOption = { flags: "-q, --quiet", summary: "only names" };
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
    examples: ["tranship network ls"],
    options: [filterOption, quietOption, formatOption],
    load: () => import("../networks/ls.ts"),
  },
  {
    name: "network inspect",
    group,
    summary: "Show addresses and running instances of networks",
    examples: ["tranship network inspect bridge"],
    arguments: [{ name: "<NETWORK...>", summary: "bridge, host or none" }],
    options: [inspectFormatOption],
    load: () => import("../networks/inspect.ts"),
  },
];
