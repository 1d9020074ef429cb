// What is kept of the tasks of clusters, and the verb that reads it.
import type { OptionSpec, Verb } from "../verb.ts";

export const endpointOption = {
  flags: "--endpoint-url <URL>",
  summary: "of the control plane; by default the one that was started with this state root",
};

/** Of the verbs that run tasks. */
export const logKeeping: readonly OptionSpec[] = [
  {
    flags: "--syslog <ADDRESS>",
    summary:
      "a syslog server to which tasks may have their logs sent: udp://HOST:PORT, tcp://HOST:PORT, unix:///PATH",
    many: true,
  },
  {
    flags: "--log-retention <[GROUP=]DURATION>",
    summary:
      "how long a node keeps what removed containers wrote, of a log group or of all others; 14d by default",
    many: true,
  },
  {
    flags: "--task-cleanup-wait <DURATION>",
    // No `default`: a far node is passed what was given, and goes by its own version's else.
    summary: "how long the containers of a task stay after its end; 1h by default",
  },
  { flags: "--log-limit <SIZE>", summary: "of all that a node keeps; the oldest goes first; 1g by default" },
];

export const logVerb: Verb = {
  name: "cluster logs",
  group: "Clusters",
  summary: "Print what containers of tasks wrote, also of tasks that have ended and were removed",
  description:
    "Lines of several containers are put in order by their time, each with its task and container before it. What is asked for must fit all that is given.",
  examples: [
    "tranship cluster logs -f 8a6f0c51b0a5",
    "tranship cluster logs --service shop --since 10m",
    "tranship cluster logs --group /shop/web --tail 100",
  ],
  arguments: [{ name: "[TASK]", summary: "its ARN, its id, or the beginning of its id" }],
  options: [
    { flags: "--cluster <NAME>", summary: "the cluster", default: "default" },
    { flags: "--container <NAME>", summary: "of the tasks" },
    { flags: "--service <NAME>", summary: "tasks of this service" },
    { flags: "--group <NAME>", summary: "containers with this log group (awslogs-group)" },
    { flags: "--stream <NAME>", summary: "log streams whose names begin so" },
    { flags: "-f, --follow", summary: "go on until a signal, or until the task has ended" },
    { flags: "--since <TIME>", summary: "a time (RFC 3339) or how long ago (10m)" },
    { flags: "--until <TIME>", summary: "a time (RFC 3339) or how long ago (10m)" },
    { flags: "-n, --tail <LINES>", summary: "only so many of the last lines" },
    { flags: "-t, --timestamps", summary: "the time before each line" },
    endpointOption,
  ],
  load: () => import("../cluster/logs.ts"),
};
