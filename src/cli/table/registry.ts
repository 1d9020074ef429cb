// Verbs for registries.
import { tlsOptionSpecs } from "../tls.ts";
import type { OptionSpec, Verb } from "../verb.ts";
import { dryRunOption, formatOption } from "./options.ts";

const group = "Registries";
const ref = { name: "REF", summary: "an OCI reference: [registry/]name[:tag][@digest]" };

/** How a registry is reached. */
export const connectionOptions: readonly OptionSpec[] = [
  { flags: "--plain-http", summary: "speak HTTP without TLS to the registry" },
  { flags: "--insecure", summary: "accept any certificate of the registry" },
  {
    flags: "--cert-dir <DIR>",
    summary:
      "certificates for the registry: *.crt of authorities, NAME.cert and NAME.key of the client (default certs.d/HOST[:PORT] below /etc/docker, /etc/containers)",
  },
];

/** How content is moved from and to registries. */
export const transferOptions: readonly OptionSpec[] = [
  ...connectionOptions,
  {
    flags: "--trust-host <HOST>",
    summary: "a further host that the registry may send us to at a private address, or that gives its tokens",
    many: true,
  },
  { flags: "--retry <N>", summary: "how often a request is repeated", default: "5" },
  { flags: "--retry-delay <DURATION>", summary: "wait before the first repetition", default: "500ms" },
];

export const mirrorOption: OptionSpec = {
  flags: "--mirror <HOST=MIRROR>",
  summary: "ask this mirror of a registry first (also TRANSHIP_REGISTRY_MIRRORS)",
  many: true,
};

export const registryVerbs: readonly Verb[] = [
  {
    name: "push",
    group,
    summary: "Send a package to a registry",
    examples: [
      "tranship push registry.example.com/team/shop:1",
      "tranship push shop:1 registry.example.com/team/shop:1",
    ],
    arguments: [ref, { name: "[DESTINATION]", summary: "where to, if the package's name has no registry" }],
    options: [
      {
        flags: "--compression <NAME>",
        summary: "of the layers; gzip is what every tool reads, keep is as they lie in the store",
        choices: ["gzip", "zstd", "keep"],
        default: "gzip",
      },
      ...transferOptions,
      dryRunOption,
      formatOption,
    ],
    load: () => import("../registry/push.ts"),
  },
  {
    name: "pull",
    group,
    summary: "Fetch a package or any image from a registry",
    examples: [
      "tranship pull registry.example.com/team/shop:1",
      "tranship pull --platform linux/arm64 docker.io/library/redis:7",
    ],
    arguments: [ref],
    options: [
      {
        flags: "--platform <PLATFORM>",
        summary: "OS/ARCHITECTURE of an image for several (default this host's)",
      },
      { flags: "--no-unpack", summary: "leave the layers packed; the first run unpacks them" },
      { flags: "-q, --quiet", summary: "say the image's name alone, and no progress" },
      mirrorOption,
      ...transferOptions,
      formatOption,
    ],
    load: () => import("../registry/pull.ts"),
  },
  {
    name: "login",
    group,
    summary: "Keep name and password for a registry, as docker does",
    examples: [
      "tranship login registry.example.com",
      "tranship login -u ci --password-stdin registry.example.com",
    ],
    arguments: [{ name: "[REGISTRY]", summary: "host[:port] (default docker.io)" }],
    options: [
      { flags: "-u, --username <NAME>", summary: "who logs in" },
      { flags: "-p, --password <WORD>", summary: "the password, seen by whoever lists processes" },
      { flags: "--password-stdin", summary: "read the password from standard input" },
      ...connectionOptions,
      {
        flags: "--trust-host <HOST>",
        summary: "a further host that gives the registry's tokens",
        many: true,
      },
      formatOption,
    ],
    load: () => import("../registry/login.ts"),
  },
  {
    name: "logout",
    group,
    summary: "Forget what `login` kept",
    examples: ["tranship logout registry.example.com"],
    arguments: [{ name: "[REGISTRY]", summary: "host[:port] (default docker.io)" }],
    options: [formatOption],
    load: () => import("../registry/logout.ts"),
  },
  {
    name: "registry serve",
    group,
    summary: "Offer the store as a registry",
    examples: [
      "tranship registry serve",
      "tranship registry serve --listen 0.0.0.0:5000 --htpasswd users --tls-cert host.crt --tls-key host.key",
    ],
    options: [
      {
        flags: "--listen <HOST:PORT>",
        summary: "where; port 0 is any that is free",
        default: "127.0.0.1:5000",
      },
      { flags: "--read-only", summary: "let nobody push or delete" },
      { flags: "--htpasswd <FILE>", summary: "names and bcrypt passwords, as `htpasswd -B` writes them" },
      ...tlsOptionSpecs,
      { flags: "--anonymous-writes", summary: "let everybody push who reaches it, also from other hosts" },
    ],
    serves: true,
    load: () => import("../registry/serve.ts"),
  },
];
