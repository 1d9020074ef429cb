// The agent as a service of Swarm: one on each node, with the node's own engine at hand. Pure.
import { createHash } from "node:crypto";

export interface AgentServiceOptions {
  /** Of the agent, as the nodes pull it. */
  image: string;
  /** The control plane, as the nodes reach it. */
  url: string;
  /** Id and name of the secret that holds the token. */
  secret: { id: string; name: string };
  /** Secret with the certificates of authorities that the agents are to trust for the URL. */
  authorities?: { id: string; name: string };
  /** Registries from which tasks may have their images. */
  registries: readonly string[];
  /** Flags for what it keeps of tasks that have ended. */
  keeping: readonly string[];
  /** Network for tasks with a network of their own. */
  network: string;
}

export const agentServiceName = "tranship-agent";
/** Label with the digest of the specification: tells whether the service is up to date. */
export const specificationLabel = "com.tranship.specification";

const tokenFile = "/run/secrets/tranship-join-token";

const authoritiesFile = "tranship-authorities.pem";

function secretAs({ id, name }: { id: string; name: string }, file: string): Record<string, unknown> {
  return { SecretID: id, SecretName: name, File: { Name: file, UID: "0", GID: "0", Mode: 0o400 } };
}

/** Body of POST /services/create. */
export function agentService(options: AgentServiceOptions): Record<string, unknown> {
  const TaskTemplate = {
    ContainerSpec: {
      Image: options.image,
      Command: ["/usr/lib/tranship/bin/tranship"],
      Args: [
        ...["--root", "/var/lib/tranship", "cluster", "join", options.url],
        ...["--engine", "docker", "--engine-host", "unix:///var/run/docker.sock"],
        ...["--token-file", tokenFile, "--task-network", options.network],
        ...options.registries.flatMap((host) => ["--registry", host]),
        ...options.keeping,
      ],
      // The engine fills these in; a flag it would not.
      Env: [
        "TRANSHIP_NODE_NAME={{.Node.ID}}",
        "TRANSHIP_NODE_HOSTNAME={{.Node.Hostname}}",
        ...(options.authorities === undefined ? [] : [`NODE_EXTRA_CA_CERTS=/run/secrets/${authoritiesFile}`]),
      ],
      Mounts: [
        { Type: "bind", Source: "/var/run/docker.sock", Target: "/var/run/docker.sock" },
        { Type: "volume", Source: agentServiceName, Target: "/var/lib/tranship" },
      ],
      Secrets: [
        secretAs(options.secret, "tranship-join-token"),
        ...(options.authorities === undefined ? [] : [secretAs(options.authorities, authoritiesFile)]),
      ],
      Init: true,
      StopGracePeriod: 5e9,
    },
    RestartPolicy: { Condition: "any", Delay: 1e9 },
    Networks: [{ Target: "host" }],
  };
  const rest = { TaskTemplate, Mode: { Global: {} }, UpdateConfig: { Parallelism: 1, Order: "stop-first" } };
  const digest = createHash("sha256").update(JSON.stringify(rest)).digest("hex").slice(0, 32);
  return { Name: agentServiceName, Labels: { [specificationLabel]: digest }, ...rest };
}
