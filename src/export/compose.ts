// A package as a Compose project (the Compose Specification, compose-spec.io), for docker compose, docker-compose 1.29 and podman-compose: without
// keys that one of them refuses. Pure.
import { stringify } from "yaml";
import { defaultCapabilities } from "../package/capabilities.ts";
import { learnedRules, seccompJson } from "../runtime/oci/seccomp.ts";
import { type Artefact, type Exported, heading } from "./artefacts.ts";
import type { ExportFacts, ExportFile } from "./facts.ts";

const secretFolder = "secrets";
const profileFile = "seccomp.json";

export function composeOf(facts: ExportFacts): Exported {
  const project = {
    services: { [facts.name]: serviceOf(facts) },
    ...(facts.volumes.length === 0
      ? {}
      : { volumes: Object.fromEntries(facts.volumes.map(({ name }) => [name, {}])) }),
    ...(facts.files.length === 0
      ? {}
      : { secrets: Object.fromEntries(facts.files.map((one) => [one.name, { file: `./${placeOf(one)}` }])) }),
  };
  const needed = facts.files.map((one) => `${placeOf(one)}: ${one.path}`);
  const main: Artefact = {
    path: "compose.yaml",
    text: `${heading("#", [
      `${facts.image} as a Compose project.`,
      ...(needed.length === 0
        ? []
        : ["Put these files beside it first:", ...needed.map((one) => `  ${one}`)]),
    ])}\n${stringify(project, { lineWidth: 0, aliasDuplicateObjects: false })}`,
  };
  return {
    artefacts: [main, ...profileOf(facts)],
    left: [
      ...facts.left,
      ...facts.ownAlone,
      ...(facts.limits.disk === undefined ? [] : ["the limit of what it writes outside of its volumes"]),
    ],
    next: ["docker compose up -d"],
  };
}

function serviceOf(facts: ExportFacts): object {
  return {
    image: facts.image,
    ...(facts.hostname === null ? {} : { hostname: facts.hostname }),
    ...(facts.domain === null ? {} : { domainname: facts.domain }),
    ...(facts.macAddress === null ? {} : { mac_address: facts.macAddress }),
    restart: "unless-stopped",
    stop_grace_period: `${facts.stopSeconds}s`,
    ...(facts.capabilities === undefined ? {} : { cap_drop: ["ALL"], cap_add: [...facts.capabilities] }),
    ...(facts.calls === undefined ? {} : { security_opt: [`seccomp:./${profileFile}`] }),
    ...(facts.ports.length === 0
      ? {}
      : { ports: facts.ports.map((one) => `${one.hostPort}:${one.port}/${one.protocol}`) }),
    ...(facts.volumes.length === 0
      ? {}
      : { volumes: facts.volumes.map(({ name, path }) => `${name}:${plain(path)}`) }),
    ...(facts.files.length === 0
      ? {}
      : { secrets: facts.files.map(({ name, path }) => ({ source: name, target: plain(path) })) }),
    ...(facts.variables.length === 0 ? {} : { environment: environmentOf(facts) }),
    ...(facts.hosts.length === 0
      ? {}
      : { extra_hosts: facts.hosts.map(({ name, address }) => `${name}:${address}`) }),
    ...healthOf(facts),
    ...limitsOf(facts),
  };
}

/** Taken from the environment of whoever starts it, or from a file .env. */
function environmentOf({ name, variables }: ExportFacts): Record<string, string> {
  return Object.fromEntries(variables.map((one) => [one.name, `\${${one.name}:?${name} needs it}`]));
}

function healthOf({ startSeconds }: ExportFacts): object {
  if (startSeconds === undefined) return {};
  return {
    healthcheck: {
      test: ["CMD", "/.tranship/init", "--ready"],
      interval: "10s",
      timeout: "5s",
      retries: 3,
      start_period: `${startSeconds}s`,
    },
  };
}

function limitsOf({ limits }: ExportFacts): object {
  const { memory, cpus, pids, cpusetCpus, blkioWeight, ulimits = [] } = limits;
  return {
    ...(memory === undefined ? {} : { mem_limit: memory }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(pids === undefined ? {} : { pids_limit: pids }),
    ...(cpusetCpus === undefined ? {} : { cpuset: cpusetCpus }),
    ...(blkioWeight === undefined ? {} : { blkio_config: { weight: blkioWeight } }),
    ...(ulimits.length === 0
      ? {}
      : { ulimits: Object.fromEntries(ulimits.map(({ name, soft, hard }) => [name, { soft, hard }])) }),
  };
}

function profileOf({ calls, capabilities, architecture }: ExportFacts): Artefact[] {
  if (calls === undefined) return [];
  const rules = learnedRules(
    calls,
    (capabilities ?? defaultCapabilities).map((name) => `CAP_${name}`),
  );
  const profile = seccompJson(rules, architecture === "amd64" ? "x64" : architecture);
  return [{ path: profileFile, text: `${JSON.stringify(profile, null, 2)}\n` }];
}

/** What stands behind a dollar sign is looked up otherwise. */
function plain(text: string): string {
  return text.replaceAll("$", "$$$$");
}

function placeOf({ name }: ExportFile): string {
  return `${secretFolder}/${name}`;
}
