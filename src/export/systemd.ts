// A package as a unit of systemd, started by Tranship, podman or docker, whose flags are the same. Pure.
import { shellWord } from "../formats/shell-words.ts";
import { type Exported, heading } from "./artefacts.ts";
import type { ExportFacts } from "./facts.ts";

export type Starter = "tranship" | "podman" | "docker";

export interface UnitWishes {
  with: Starter;
  /** Absolute: what is started. */
  program: string;
  /** Where the files of its secrets are on the host. */
  secretFolder: string;
}

export function systemdOf(facts: ExportFacts, wishes: UnitWishes): Exported {
  const { name } = facts;
  const run = [wishes.program, ...runWords(facts, wishes)];
  const timeout = facts.stopSeconds + 10;
  const docker = wishes.with === "docker";
  const lines = [
    "[Unit]",
    `Description=${escaped(`${facts.name}, from the package ${facts.image}`)}`,
    "Wants=network-online.target",
    `After=network-online.target${docker ? " docker.service" : ""}`,
    ...(docker ? ["Requires=docker.service"] : []),
    ...facts.files.map((one) => `AssertPathExists=${escaped(placeOf(one, wishes))}`),
    "",
    "[Service]",
    ...variableLines(facts, wishes),
    // What a host that went down at once has left.
    `ExecStartPre=-${command([wishes.program, "rm", "-f", name])}`,
    `ExecStart=${command(run)}`,
    `ExecStop=${command([wishes.program, "stop", "-t", String(facts.stopSeconds), name])}`,
    "Restart=on-failure",
    "RestartSec=5",
    // What ends by the signal that stops it has not failed.
    "SuccessExitStatus=143",
    `TimeoutStopSec=${timeout}`,
    "",
    "[Install]",
    "WantedBy=multi-user.target",
  ];
  const path = `${name}.service`;
  return {
    artefacts: [
      { path, text: `${heading("#", [`${facts.image} as a unit of systemd.`])}\n${lines.join("\n")}\n` },
    ],
    left: [...facts.left, ...(wishes.with === "tranship" ? [] : leftToOthers(facts))],
    next: [
      ...facts.files.map((one) => `install -D -m 0400 ${one.name} ${shellWord(placeOf(one, wishes))}`),
      ...(facts.variables.length === 0
        ? []
        : [
            `install -D -m 0600 /dev/null ${shellWord(`${wishes.secretFolder}/environment`)} # then write ${facts.variables.map(({ name }) => `${name}=...`).join(" ")} into it`,
          ]),
      `install -m 0644 ${path} /etc/systemd/system/ && systemctl daemon-reload && systemctl enable --now ${path}`,
    ],
  };
}

function runWords(facts: ExportFacts, wishes: UnitWishes): string[] {
  const { limits } = facts;
  const own = wishes.with === "tranship";
  const pair = (flag: string, value: string | number | null | undefined): string[] =>
    value === null || value === undefined ? [] : [flag, String(value)];
  return [
    ...["run", "--rm", "--name", facts.name],
    ...facts.ports.flatMap((one) => ["-p", `${one.hostPort}:${one.port}/${one.protocol}`]),
    ...facts.volumes.flatMap((one) => ["-v", `${facts.name}.${one.name}:${one.path}`]),
    ...facts.files.flatMap((one) =>
      own
        ? ["--secret", `${one.path}=${placeOf(one, wishes)}`]
        : ["-v", `${placeOf(one, wishes)}:${one.path}:ro`],
    ),
    ...facts.variables.flatMap((one) => ["-e", one.name]),
    // Of the rest our own `run` knows from the package.
    ...(own
      ? []
      : [
          ...pair("--hostname", facts.hostname),
          ...pair("--mac-address", facts.macAddress),
          ...facts.hosts.flatMap(({ name, address }) => ["--add-host", `${name}:${address}`]),
          ...(facts.capabilities === undefined
            ? []
            : ["--cap-drop", "ALL", ...facts.capabilities.flatMap((one) => ["--cap-add", one])]),
          ...pair("--memory", limits.memory),
          ...pair("--cpus", limits.cpus),
          ...pair("--pids-limit", limits.pids),
          ...pair("--cpuset-cpus", limits.cpusetCpus),
          ...pair("--blkio-weight", limits.blkioWeight),
          ...(limits.ulimits ?? []).flatMap((one) => ["--ulimit", `${one.name}=${one.soft}:${one.hard}`]),
          ...pair("--stop-timeout", facts.stopSeconds),
        ]),
    facts.image,
  ];
}

function placeOf({ name }: { name: string }, { secretFolder }: UnitWishes): string {
  return `${secretFolder}/${name}`;
}

/** Values of variables stand in a file that root alone reads. */
function variableLines({ variables }: ExportFacts, { secretFolder }: UnitWishes): string[] {
  if (variables.length === 0) return [];
  return [`EnvironmentFile=${escaped(`${secretFolder}/environment`)}`];
}

/** Under our own `run` all of it is carried out. */
function leftToOthers({ ownAlone, calls, limits }: ExportFacts): string[] {
  return [
    ...ownAlone,
    ...(calls === undefined ? [] : ["the learned list of system calls"]),
    ...(limits.disk === undefined ? [] : ["the limit of what it writes outside of its volumes"]),
  ];
}

/** As systemd reads a command line: systemd.service(5), "Command lines". */
function command(words: readonly string[]): string {
  return words.map(quoted).join(" ");
}

function quoted(word: string): string {
  const plain = escaped(word).replaceAll("$", "$$$$");
  return /^[A-Za-z0-9_@%+=:,./$-]+$/.test(plain) ? plain : `"${plain.replace(/["\\]/g, "\\$&")}"`;
}

/** Specifiers of units begin with a percent sign. */
function escaped(text: string): string {
  return text.replaceAll("%", "%%");
}
