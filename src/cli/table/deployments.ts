// Verbs for a package's life on this machine.
import type { OptionSpec, Verb } from "../verb.ts";
import { dryRunOption, formatOption } from "./options.ts";
import { createOptions } from "./run.ts";

const group = "Deployments";
const reference = { name: "REF", summary: "a package of the store" };
const deployment = { name: "NAME", summary: "the deployment" };
const waitOption: OptionSpec = {
  flags: "--wait <DURATION>",
  summary: "how long services may take to become ready",
  default: "60s",
};
const hostHooksOption: OptionSpec = {
  flags: "--allow-host-hooks",
  summary: "let hooks of the package run on this host, as root",
};
const nameOption: OptionSpec = {
  flags: "--name <NAME>",
  summary: "of the deployment and its instance; default: the package's id",
};
const common: readonly OptionSpec[] = [waitOption, dryRunOption, formatOption];

export const deploymentVerbs: readonly Verb[] = [
  {
    name: "package deploy",
    group,
    summary: "Bring a package to this machine to stay: hooks, services, shortcuts, start after a reboot",
    description:
      "In this order: its instance is made, its pre-install hooks run, its services start and become ready, its post-install hooks run. What fails is undone. " +
      "Its volumes get names, so that data outlives the versions. Doing it again makes again what is missing.",
    examples: [
      "tranship package deploy -p 8080:80 shop",
      "tranship package deploy --allow-host-hooks --name billing acme:1",
      "tranship package deploy --data shop-data.tar shop",
    ],
    arguments: [reference],
    options: [
      nameOption,
      hostHooksOption,
      { flags: "--data <FILE>", summary: "fill its volumes with what `package remove --save-data` wrote" },
      {
        flags: "--host-root <DIR>",
        summary: "where files of the host go (unit, desktop entries)",
        default: "/",
      },
      ...createOptions.filter(
        ({ flags }) => !/--(name|interactive|tty|workdir|user|restart|entrypoint|descriptor) ?/.test(flags),
      ),
      {
        flags: "--restart <POLICY>",
        summary: "no, on-failure[:N], always or unless-stopped",
        default: "always",
      },
      ...common,
    ],
    load: () => import("../deployments/deploy.ts"),
  },
  {
    name: "package update",
    group,
    summary: "Bring a deployment to another version of its package, over the same data",
    description:
      "The version that runs is stopped and kept for `package rollback`; where the new one does not become ready it is started again. Shortcuts and file types that are no longer " +
      "listed go, new ones come, and what somebody has changed stays.",
    examples: ["tranship package update shop:2", "tranship package update --hooks --name billing acme:2"],
    arguments: [reference],
    options: [
      nameOption,
      { flags: "--hooks", summary: "also run the hooks of an installation" },
      hostHooksOption,
      {
        flags: "--linked <REF>",
        summary: "the package to take for its id from now on, as with `run`",
        many: true,
      },
      ...common,
    ],
    load: () => import("../deployments/update.ts"),
  },
  {
    name: "package rollback",
    group,
    summary: "Bring a deployment back to the version before; once more, and it is the later one again",
    description: "Data in volumes stays as it is; all else is as the version before left it.",
    examples: ["tranship package rollback shop"],
    arguments: [deployment],
    options: common,
    load: () => import("../deployments/rollback.ts"),
  },
  {
    name: "package remove",
    group,
    summary:
      "Remove a deployment: uninstall hooks, instances, shortcuts, unit; its data stays, or goes into a file",
    examples: ["tranship package remove shop", "tranship package remove --save-data shop-data.tar shop"],
    arguments: [deployment],
    options: [
      { flags: "--save-data <FILE>", summary: "write its volumes into this tar, and remove them" },
      ...common,
    ],
    load: () => import("../deployments/remove.ts"),
  },
  {
    name: "package dissolve",
    group,
    summary:
      "Turn a package back into a native installation, on a system of the distribution that it was lifted from",
    description:
      "--into puts its files, users, units and schedules into the root of a system and keeps what they replace, for --undo. --deb makes a package of Debian " +
      "that depends on what the distribution brings and holds the rest.",
    examples: [
      "tranship package dissolve --into /mnt/new shop",
      "tranship package dissolve --undo --into /mnt/new shop",
      "tranship package dissolve --deb shop.deb shop",
    ],
    arguments: [{ name: "REF", summary: "a package of the store; with --undo its id" }],
    options: [
      { flags: "--into <DIR>", summary: "the root directory of a system; / is this one" },
      { flags: "--deb <FILE>", summary: "write a package of Debian" },
      {
        flags: "--undo",
        summary: "take out of DIR what a dissolve put there, and put back what it replaced",
      },
      dryRunOption,
      formatOption,
    ],
    load: () => import("../deployments/dissolve.ts"),
  },
  {
    name: "package deployed",
    group,
    summary: "List what is deployed on this machine",
    examples: ["tranship package deployed", "tranship package deployed --format json"],
    options: [formatOption],
    load: () => import("../deployments/deployed.ts"),
  },
];
