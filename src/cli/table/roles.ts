// Verbs for the roles that tasks of clusters have.
import type { Verb } from "../verb.ts";
import { formatOption } from "./options.ts";

const group = "Clusters";

export const roleVerbs: readonly Verb[] = [
  {
    name: "role create",
    group,
    summary: "Say what tasks with a role may call at the control plane of this state root",
    description:
      'Task definitions name it in `taskRoleArn`; such tasks are given credentials for it. A role that was not made here may do nothing. One of that name is replaced, and that counts at once. A document is an IAM policy whose statements have Effect, Action and Resource "*".',
    examples: [
      "tranship role create deployer --policy full",
      "tranship role create watcher --policy watcher.json",
    ],
    arguments: [{ name: "NAME", summary: "as behind `role/` in its ARN" }],
    options: [
      {
        flags: "--policy <POLICY>",
        summary: "read-only, full (as good as root on the nodes), or a file with a document",
        default: "read-only",
      },
    ],
    load: () => import("../roles/create.ts"),
  },
  {
    name: "role ls",
    group,
    summary: "List roles",
    examples: ["tranship role ls"],
    options: [{ flags: "-q, --quiet", summary: "only names" }, formatOption],
    load: () => import("../roles/ls.ts"),
  },
  {
    name: "role rm",
    group,
    summary: "Remove roles; what tasks have for them may do nothing from then on",
    examples: ["tranship role rm watcher"],
    arguments: [{ name: "<NAME...>", summary: "names" }],
    options: [],
    load: () => import("../roles/rm.ts"),
  },
];
