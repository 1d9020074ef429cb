// Where a reference leads: the registry's name (as people write it, and as credentials are kept by) and its address.
import { TranshipError } from "../../base/errors.ts";
import type { Reference } from "../../formats/oci-reference.ts";

/** A repository of a registry. */
export interface RemoteRepository {
  /** "docker.io", "registry.corp:5000": the key of credentials, certificates and mirrors. */
  registry: string;
  /** Host and port that requests go to. */
  host: string;
  repository: string;
}

const hub = "docker.io";
const hubHosts = new Set([hub, "index.docker.io", "registry-1.docker.io"]);

/** As docker reads it: without a registry it is Docker Hub, and one word there is an official image. */
export function remoteRepository(reference: Reference): RemoteRepository {
  const registry = reference.registry ?? hub;
  if (!hubHosts.has(registry)) return { registry, host: registry, repository: reference.repository };
  const { repository } = reference;
  const full = repository.includes("/") ? repository : `library/${repository}`;
  return { registry: hub, host: "registry-1.docker.io", repository: full };
}

/** Where a push goes; nothing goes to a public place that was not named. */
export function pushRepository(reference: Reference, text: string): RemoteRepository {
  if (reference.registry !== undefined) return remoteRepository(reference);
  throw new TranshipError("E_USAGE", `${text} names no registry to push to`, {
    hint: `give the destination too, for example \`tranship push ${text} registry.example.com/${text}\``,
  });
}

/** A registry alone: "registry.corp:5000", also with https:// before it. */
export function registryEndpoint(text: string): RemoteRepository {
  const host = text.replace(/^https?:\/\//, "").replace(/\/(?:v[12]\/?)?$/, "");
  const full = `https://${host}`;
  if (host === "" || !URL.canParse(full) || new URL(full).host !== host.toLowerCase()) {
    throw new TranshipError("E_USAGE", `not a registry: ${JSON.stringify(text)}`, {
      hint: "write HOST or HOST:PORT",
    });
  }
  if (hubHosts.has(host)) return { registry: hub, host: "registry-1.docker.io", repository: "" };
  return { registry: host, host, repository: "" };
}

/** The key under which docker keeps the credentials of Docker Hub. */
export const hubCredentialKey = "https://index.docker.io/v1/";
