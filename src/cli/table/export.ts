// Verbs that give a package to other platforms.
import type { OptionSpec, Verb } from "../verb.ts";

const group = "Other platforms";
const reference = { name: "REF", summary: "a package of the store" };

const common: readonly OptionSpec[] = [
  { flags: "-o, --output <DIR>", summary: "write all files there; without it the main one is printed" },
  { flags: "--force", summary: "write over files that have other content" },
  { flags: "--image <NAME>", summary: "what the platform calls the image; default: REF" },
  { flags: "--name <NAME>", summary: "of the application there; default: the package's name" },
  {
    flags: "-p, --publish <HOSTPORT:PORT>",
    summary: "the port of the host for one of the package; default: the same",
    many: true,
  },
  {
    flags: "--optional-secrets",
    summary: "secrets that it can do without too; nothing starts there before they are given",
  },
];

export const exportVerbs: readonly Verb[] = [
  {
    name: "export compose",
    group,
    summary: "A package as a project of docker compose",
    examples: [
      "tranship export compose shop",
      "tranship export compose -o shop --image registry.example/shop:1 -p 8080:80 shop",
    ],
    arguments: [reference],
    options: common,
    load: () => import("../export/compose.ts"),
  },
  {
    name: "export kubernetes",
    group,
    summary: "A package as a Deployment with its claims and its Service",
    examples: ["tranship export kubernetes --image registry.example/shop:1 shop"],
    arguments: [reference],
    options: common,
    load: () => import("../export/kubernetes.ts"),
  },
  {
    name: "export systemd",
    group,
    summary: "A package as a unit of systemd, started by Tranship, podman or docker",
    examples: ["tranship export systemd -o . shop", "tranship export systemd --with podman shop"],
    arguments: [reference],
    options: [
      ...common,
      {
        flags: "--with <PROGRAM>",
        summary: "what starts it",
        choices: ["tranship", "podman", "docker"],
        default: "tranship",
      },
      { flags: "--program <PATH>", summary: "where that is; default: in /usr/bin" },
      { flags: "--secrets <DIR>", summary: "where files of secrets will be; default: /etc/NAME/secrets" },
    ],
    load: () => import("../export/systemd.ts"),
  },
  {
    name: "export ecs",
    group,
    summary: "A package as a task definition and a service of Amazon ECS, for the AWS CLI",
    description: "`cluster deploy` brings a package to a control plane of ours by itself.",
    examples: [
      "tranship export ecs -o shop-ecs --image 123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop:1 shop",
      "tranship export ecs --launch-type FARGATE --efs fs-0123456789abcdef0 shop",
    ],
    arguments: [reference],
    options: [
      ...common,
      {
        flags: "--launch-type <TYPE>",
        summary: "where tasks run",
        choices: ["EC2", "FARGATE"],
        default: "EC2",
      },
      { flags: "--memory <MIB>", summary: "where the package has no limit", default: "512" },
      { flags: "--efs <ID>", summary: "the EFS file system that holds its volumes" },
      { flags: "--execution-role <ARN>", summary: "the role that fetches images and secrets" },
    ],
    load: () => import("../export/ecs.ts"),
  },
];
