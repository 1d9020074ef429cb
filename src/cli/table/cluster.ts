// Verbs for clusters; all else is `aws ecs --endpoint-url ...`.
import { tlsOptionSpecs } from "../tls.ts";
import type { OptionSpec, Verb } from "../verb.ts";
import { endpointOption, logKeeping, logVerb } from "./cluster-logs.ts";
import { formatOption } from "./options.ts";
import { connectionOptions } from "./registry.ts";

const group = "Clusters";
const common: readonly OptionSpec[] = [
  { flags: "--cluster <NAME>", summary: "the cluster", default: "default" },
  { flags: "-d, --detach", summary: "do not wait for the rollout" },
  endpointOption,
];

const nodeOptions: readonly OptionSpec[] = [
  {
    flags: "--engine <NAME>",
    summary: "what runs the containers: local (default), our own runtime; docker, an engine beside us",
    choices: ["local", "docker"],
  },
  {
    flags: "--engine-host <ADDRESS>",
    summary: "of the engine: unix:///PATH or tcp://HOST:PORT; default unix:///var/run/docker.sock",
  },
  {
    flags: "--task-network <NAME>",
    summary: "network of the engine for tasks with a network of their own; default bridge",
  },
];

const farOptions: readonly OptionSpec[] = [
  {
    flags: "--ssh-option <KEY=VALUE>",
    summary: "over ssh: an option of ssh_config(5) (also TRANSHIP_SSH_OPTIONS)",
    many: true,
  },
  { flags: "--sudo", summary: "over ssh: be root there by sudo without a password" },
  { flags: "--dry-run", summary: "over ssh: print every command that may run there, and connect to nothing" },
];

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
        summary:
          "what runs the tasks: local, this machine and the nodes that join; agents, those only; swarm, the nodes of a Docker Swarm; null, nothing",
        choices: ["local", "agents", "swarm", "null"],
        default: "local",
      },
      {
        flags: "--registry <HOST>",
        summary: "a registry from which tasks may have their images fetched",
        many: true,
      },
      ...connectionOptions,
      {
        flags: "--environment-files <DIR>",
        summary: "stands for the buckets of environment files: BUCKET/KEY below it",
      },
      { flags: "--account <ID>", summary: "twelve digits that stand in ARNs", default: "000000000000" },
      { flags: "--region <REGION>", summary: "of ARNs where a call is not signed", default: "us-east-1" },
      ...tlsOptionSpecs,
      {
        flags: "--engine-host <ADDRESS>",
        summary: "with --driver swarm: of a manager, unix:///PATH or tcp://HOST:PORT",
        default: "unix:///var/run/docker.sock",
      },
      {
        flags: "--agent-image <REF>",
        summary: "with --driver swarm: what `cluster agent-image` made, as the nodes can pull it",
      },
      {
        flags: "--agent-url <URL>",
        summary:
          "with --driver swarm: of this control plane as the nodes reach it; by default where it listens",
      },
      {
        flags: "--node-grace <DURATION>",
        summary: "how long a node may be unreachable before its tasks are started elsewhere",
        default: "20s",
      },
      ...logKeeping,
      {
        flags: "--credentials-lifetime <DURATION>",
        summary: "of the credentials that tasks with a role are given",
        default: "1h",
      },
      {
        flags: "--deregistration-delay <DURATION>",
        summary: "how long tasks with ports answer on, as DEACTIVATING, when their service lets them go",
        default: "5s",
      },
      { flags: "--unsigned", summary: "take calls without a signature; on loopback only" },
      { flags: "--allow-reset", summary: "POST /reset empties the state; on loopback only" },
    ],
    serves: true,
    load: () => import("../cluster/serve.ts"),
  },
  {
    name: "cluster join",
    group,
    summary: "Let this machine, or others over ssh, run tasks of a control plane",
    description:
      "With a URL: runs until a signal, as the agent of this node; what it runs goes on without it and is adopted by the next one. The token is what `tranship cluster token` prints where the control plane is, given by --token-file or in TRANSHIP_JOIN_TOKEN. With machines over ssh, where the control plane is: brings this installation there where it is missing, starts the agent by systemd (or as a process that is started again when it ends), and waits until it has joined. Done again it changes nothing.",
    examples: [
      "tranship cluster join https://control.example:8443 --token-file token",
      "tranship cluster join http://10.0.0.1:8080 --token-file token --engine docker --attribute zone=b",
      "tranship cluster join ssh://root@node-b ssh://root@node-c",
      "tranship cluster join ssh://root@node-b --dry-run",
    ],
    arguments: [
      { name: "URL|MACHINE", summary: "the control plane, or a machine as ssh://[user@]host[:port]" },
      { name: "[MACHINE...]", summary: "further machines over ssh" },
    ],
    options: [
      { flags: "--token-file <FILE>", summary: "a file with the token; `-` is standard input" },
      { flags: "--name <NAME>", summary: "of the node; by default the host's" },
      ...nodeOptions,
      { flags: "--attribute <NAME=VALUE>", summary: "for placement", many: true },
      {
        flags: "--registry <HOST>",
        summary: "a registry from which tasks may have their images fetched",
        many: true,
      },
      ...connectionOptions,
      ...logKeeping,
      { ...endpointOption, summary: `over ssh: ${endpointOption.summary}` },
      ...farOptions,
    ],
    serves: true,
    load: () => import("../cluster/join.ts"),
  },
  {
    name: "cluster leave",
    group,
    summary: "End the tasks of this machine as a node, or take the agent away from others over ssh",
    description:
      "Here: ends the tasks that an agent has left running; end the agent first. Over ssh: ends the agent that `cluster join` started, ends its tasks, and removes all that was put there. Drain the node before (`aws ecs update-container-instances-state --status DRAINING`), so that services have their tasks elsewhere.",
    examples: ["tranship cluster leave ssh://root@node-b", "tranship cluster leave --engine docker"],
    arguments: [{ name: "[MACHINE...]", summary: "ssh://[user@]host[:port]; by default this machine" }],
    options: [
      ...nodeOptions,
      {
        flags: "--registry <HOST>",
        summary: "as `cluster join` has it",
        many: true,
      },
      ...connectionOptions,
      ...farOptions,
    ],
    load: () => import("../cluster/leave.ts"),
  },
  {
    name: "cluster agent-image",
    group,
    summary: "Make an image of this installation, for the agents that Docker Swarm starts on its nodes",
    examples: ["tranship cluster agent-image registry.example:5000/tranship-agent:1"],
    arguments: [{ name: "REF", summary: "the name that it gets; `tranship push` brings it to its registry" }],
    options: [],
    load: () => import("../cluster/agent-image.ts"),
  },
  {
    name: "cluster token",
    group,
    summary: "Print the token with which nodes join the control plane of this state root",
    examples: ["tranship cluster token > token", "tranship cluster token --rotate"],
    options: [{ flags: "--rotate", summary: "make a new one; nodes that are connected stay" }],
    load: () => import("../cluster/token.ts"),
  },
  {
    name: "cluster deploy",
    group,
    summary: "Run a package as a service of a cluster, or bring a service to another version of it",
    description:
      "Registers a task definition made from the descriptor, creates or updates the service, and waits until the rollout is completed. A package with volumes is never run twice at a time, unless --shared-volumes says that it may be.",
    examples: [
      "tranship cluster deploy shop:2 --service shop --publish 8081:80",
      "tranship cluster deploy web --service web --count 3",
    ],
    arguments: [{ name: "REF", summary: "a package of the store" }],
    options: [
      { flags: "--service <NAME>", summary: "the service" },
      { flags: "--count <N>", summary: "how many tasks; default 1, or as it is" },
      {
        flags: "--publish <HOSTPORT:PORT>",
        summary: "a port of the node; others are those of the service, or chosen (0: chosen)",
        many: true,
      },
      { flags: "--memory <MIB>", summary: "where the descriptor has no limit", default: "512" },
      {
        flags: "--secret <TARGET=NAME>",
        summary: "a path or variable of the package and the secret (`secret create`) that it gets",
        many: true,
      },
      {
        flags: "--shared-volumes",
        summary:
          "the tasks may use the volumes at the same time: several of them, and the new one before the old one ends",
      },
      ...common,
      { flags: "--dry-run", summary: "print the task definition and change nothing" },
    ],
    load: () => import("../cluster/deploy.ts"),
  },
  {
    name: "cluster rollback",
    group,
    summary: "Bring a service back to the version before",
    examples: ["tranship cluster rollback --service shop"],
    options: [{ flags: "--service <NAME>", summary: "the service" }, ...common],
    load: () => import("../cluster/rollback.ts"),
  },
  {
    name: "cluster exec",
    group,
    summary: "Run a command in a container of a task that was started with execute command enabled",
    examples: ["tranship cluster exec -t 8a6f0c51b0a54d2c9c2f0d0be8a3d1f7 sh"],
    arguments: [
      { name: "TASK", summary: "its id or ARN" },
      { name: "<CMD...>", summary: "the command and its arguments" },
    ],
    options: [
      { flags: "--cluster <NAME>", summary: "the cluster", default: "default" },
      { flags: "--container <NAME>", summary: "where the task has more than one" },
      { flags: "-i, --interactive", summary: "keep standard input open" },
      { flags: "-t, --tty", summary: "give the command a terminal" },
      endpointOption,
    ],
    passThrough: true,
    load: () => import("../cluster/exec.ts"),
  },
  logVerb,
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
  {
    name: "secret create",
    group,
    summary: "Keep a secret that tasks of the control plane of this state root may be given",
    description:
      "Task definitions name it in `secrets` (`valueFrom`), as a name or as the ARN of a secret or parameter that ends with it; `cluster deploy --secret` does so for packages. One of that name is replaced: tasks that start later get the new value.",
    examples: ["tranship secret create shop/db-password password.txt", "tranship secret create shop/key -"],
    arguments: [
      { name: "NAME", summary: "letters, digits, _ + = . @ - in parts with / between them" },
      { name: "[FILE]", summary: "its value; - or absent is standard input" },
    ],
    options: [],
    load: () => import("../secrets/create.ts"),
  },
  {
    name: "secret ls",
    group,
    summary: "List the names of secrets",
    examples: ["tranship secret ls"],
    options: [{ flags: "-q, --quiet", summary: "only names" }, formatOption],
    load: () => import("../secrets/ls.ts"),
  },
  {
    name: "secret rm",
    group,
    summary: "Remove secrets; tasks that run keep theirs",
    examples: ["tranship secret rm shop/key"],
    arguments: [{ name: "<NAME...>", summary: "names" }],
    options: [],
    load: () => import("../secrets/rm.ts"),
  },
];
