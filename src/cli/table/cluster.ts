// Verbs for clusters; all else is `aws ecs --endpoint-url ...`.
import type { Verb } from "../verb.ts";
import { formatOption } from "./options.ts";

const group = "Clusters";
const endpointOption = {
  flags: "--endpoint-url <URL>",
  summary: "of the control plane; by default the one that was started with this state root",
};

export const clusterVerbs: readonly Verb[] = [
  {
    name: "cluster serve",
    group,
    summary: "Serve the Amazon ECS API: clusters, services and tasks on this machine",
    description:
      "Runs until a signal; what it runs goes on without it and is adopted by the next one. An access key is made on the first start; what is said then shows how the AWS command line uses it.",
    examples: [
      "tranship cluster serve",
      "tranship cluster serve --listen 127.0.0.1:4566 --driver null --unsigned",
    ],
    options: [
      { flags: "--listen <HOST:PORT>", summary: "where to listen", default: "127.0.0.1:8080" },
      {
        flags: "--driver <NAME>",
        summary: "what runs the tasks",
        choices: ["local", "null"],
        default: "local",
      },
      { flags: "--account <ID>", summary: "twelve digits that stand in ARNs", default: "000000000000" },
      { flags: "--region <REGION>", summary: "of ARNs where a call is not signed", default: "us-east-1" },
      { flags: "--unsigned", summary: "take calls without a signature; on loopback only" },
      { flags: "--allow-reset", summary: "POST /reset empties the state; on loopback only" },
    ],
    load: () => import("../cluster/serve.ts"),
  },
  {
    name: "cluster status",
    group,
    summary: "Show clusters with their container instances and services",
    examples: ["tranship cluster status", "tranship cluster status default --format json"],
    arguments: [{ name: "[CLUSTER]", summary: "by default all" }],
    options: [endpointOption, formatOption],
    load: () => import("../cluster/status.ts"),
  },
  {
    name: "cluster events",
    group,
    summary: "Print what the services of a cluster say",
    examples: ["tranship cluster events -f"],
    arguments: [{ name: "[CLUSTER]", summary: "by default `default`" }],
    options: [{ flags: "-f, --follow", summary: "go on until a signal" }, endpointOption, formatOption],
    load: () => import("../cluster/events.ts"),
  },
];
