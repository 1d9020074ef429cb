// A package as Kubernetes objects: a Deployment, its claims and its Service. Pure.
//
// A Deployment and no StatefulSet also where there is data: the pods of a StatefulSet get the host names of its counting, and an application that
// was lifted has the one of its old machine. Nothing of it runs twice: one replica, and the old pod ends before the new one begins.
import { stringify } from "yaml";
import { type Exported, heading } from "./artefacts.ts";
import type { ExportFacts, ExportVolume } from "./facts.ts";

const seedFolder = "/.tranship/seed";
const gibi = 2 ** 30;

export function kubernetesOf(facts: ExportFacts): Exported {
  const documents = [
    ...facts.volumes.map((volume) => claimOf(facts, volume)),
    deploymentOf(facts),
    ...(facts.ports.length === 0 ? [] : [serviceOf(facts)]),
  ];
  const secrets = secretCommands(facts);
  const text = documents
    .map((one) => stringify(one, { lineWidth: 0, aliasDuplicateObjects: false }))
    .join("---\n");
  const words = [`${facts.image} on Kubernetes.`];
  if (secrets.length > 0)
    words.push("Its secrets come first, for example by:", ...secrets.map((one) => `  ${one}`));
  return {
    artefacts: [{ path: `${facts.name}.yaml`, text: `${heading("#", words)}\n${text}` }],
    left: [
      ...facts.left,
      ...facts.ownAlone,
      ...(facts.macAddress === null ? [] : ["the MAC address: the network plug-in of the cluster gives one"]),
      ...(facts.limits.pids === undefined ? [] : ["the limit of its processes: a setting of the nodes"]),
      ...(facts.limits.ulimits === undefined ? [] : ["the limit of open files: a setting of the nodes"]),
      ...(facts.limits.cpusetCpus === undefined
        ? []
        : ["the list of its processors: a setting of the nodes"]),
      ...(facts.limits.blkioWeight === undefined ? [] : ["its weight for disks"]),
      ...(facts.calls === undefined ? [] : ["the learned list of system calls: the runtime's own holds"]),
    ],
    next: [...secrets, `kubectl apply -f ${facts.name}.yaml`],
  };
}

const labelOf = ({ name }: ExportFacts): Record<string, string> => ({ "app.kubernetes.io/name": name });

function claimOf(facts: ExportFacts, { name, size }: ExportVolume): object {
  // As much again as there was, and no less than what providers give at all.
  const wanted = Math.max(1, Math.ceil((2 * size) / gibi));
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: claimName(facts, name), labels: labelOf(facts) },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: `${wanted}Gi` } } },
  };
}

function claimName({ name }: ExportFacts, volume: string): string {
  return `${name}-${volume}`;
}

function deploymentOf(facts: ExportFacts): object {
  const alone = facts.volumes.length > 0 || facts.hostname !== null;
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: facts.name, labels: labelOf(facts) },
    spec: {
      replicas: 1,
      ...(alone ? { strategy: { type: "Recreate" } } : {}),
      selector: { matchLabels: labelOf(facts) },
      template: { metadata: { labels: labelOf(facts) }, spec: podOf(facts) },
    },
  };
}

function podOf(facts: ExportFacts): object {
  const seeded = facts.volumes.filter(({ filled }) => filled);
  return {
    ...(facts.hostname === null ? {} : { hostname: shortName(facts.hostname) }),
    ...(facts.domain === null ? {} : { dnsConfig: { searches: [facts.domain] } }),
    ...(facts.hosts.length === 0
      ? {}
      : { hostAliases: facts.hosts.map(({ name, address }) => ({ ip: address, hostnames: [name] })) }),
    nodeSelector: { "kubernetes.io/os": "linux", "kubernetes.io/arch": facts.architecture },
    // An application of before knows nothing of the cluster: neither variables of its services nor a token for it are to be in it.
    enableServiceLinks: false,
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: facts.stopSeconds,
    ...(seeded.length === 0 ? {} : { initContainers: seeded.map((volume) => seedContainer(facts, volume)) }),
    containers: [containerOf(facts)],
    ...(facts.volumes.length + facts.files.length === 0 ? {} : { volumes: podVolumes(facts) }),
  };
}

/** An empty volume hides what the image has there; docker fills one, Kubernetes does not. */
function seedContainer(facts: ExportFacts, { name, path }: ExportVolume): object {
  return {
    name: `seed-${name}`.slice(0, 63).replace(/-+$/, ""),
    image: facts.image,
    command: ["/.tranship/init", "--seed", path, seedFolder],
    volumeMounts: [{ name: volumeName(name), mountPath: seedFolder }],
  };
}

function containerOf(facts: ExportFacts): object {
  const { ports, volumes, files, variables, name, image } = facts;
  const mounts = [
    ...volumes.map((one) => ({ name: volumeName(one.name), mountPath: one.path })),
    ...files.map((one) => ({ name: "secrets", mountPath: one.path, subPath: one.name, readOnly: true })),
  ];
  return {
    name,
    image,
    ...(ports.length === 0
      ? {}
      : {
          ports: ports.map((one) => ({
            name: one.name,
            containerPort: one.port,
            protocol: one.protocol.toUpperCase(),
          })),
        }),
    ...(variables.length === 0 ? {} : { env: variables.map((one) => variableOf(facts, one)) }),
    ...(mounts.length === 0 ? {} : { volumeMounts: mounts }),
    ...resourcesOf(facts),
    ...probesOf(facts),
    ...securityOf(facts),
  };
}

function variableOf({ name }: ExportFacts, one: { name: string }): object {
  return { name: one.name, valueFrom: { secretKeyRef: { name, key: one.name } } };
}

function resourcesOf({ limits: { memory, cpus, disk } }: ExportFacts): object {
  const limits = {
    ...(memory === undefined ? {} : { memory: String(memory) }),
    ...(cpus === undefined ? {} : { cpu: `${Math.round(cpus * 1000)}m` }),
    ...(disk === undefined ? {} : { "ephemeral-storage": String(disk) }),
  };
  return Object.keys(limits).length === 0 ? {} : { resources: { limits } };
}

/** No probe for life: init starts its services again by itself, and ends where that is of no use. */
function probesOf({ startSeconds }: ExportFacts): object {
  if (startSeconds === undefined) return {};
  const exec = { command: ["/.tranship/init", "--ready"] };
  return {
    startupProbe: {
      exec,
      periodSeconds: 5,
      timeoutSeconds: 5,
      failureThreshold: Math.ceil(startSeconds / 5) + 1,
    },
    readinessProbe: { exec, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3 },
  };
}

function securityOf({ capabilities }: ExportFacts): object {
  return {
    securityContext: {
      ...(capabilities === undefined ? {} : { capabilities: { drop: ["ALL"], add: [...capabilities] } }),
      seccompProfile: { type: "RuntimeDefault" },
    },
  };
}

function podVolumes(facts: ExportFacts): object[] {
  const claims = facts.volumes.map(({ name }) => ({
    name: volumeName(name),
    persistentVolumeClaim: { claimName: claimName(facts, name) },
  }));
  if (facts.files.length === 0) return claims;
  const secret = {
    secretName: facts.name,
    // Keys of servers are refused by them where others may read them; what is not root can read no other way.
    defaultMode: facts.rootOnly ? 0o400 : 0o444,
    // Said, although it is usual: podman 4 does not know that.
    optional: false,
  };
  return [...claims, { name: "secrets", secret }];
}

function volumeName(name: string): string {
  // "secrets" is ours.
  return name === "secrets" ? "data-secrets" : name;
}

function serviceOf(facts: ExportFacts): object {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: facts.name, labels: labelOf(facts) },
    spec: {
      selector: labelOf(facts),
      ports: facts.ports.map((one) => ({
        name: one.name,
        port: one.hostPort,
        targetPort: one.port,
        protocol: one.protocol.toUpperCase(),
      })),
    },
  };
}

function secretCommands({ name, files, variables }: ExportFacts): string[] {
  const words = [
    ...files.map((one) => `--from-file=./${one.name}`),
    ...variables.map((one) => `--from-literal=${one.name}=...`),
  ];
  return words.length === 0 ? [] : [`kubectl create secret generic ${name} ${words.join(" ")}`];
}

/** A pod's host name is one label. */
function shortName(hostname: string): string {
  return hostname.split(".")[0]?.toLowerCase() ?? hostname;
}
