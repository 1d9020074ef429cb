// The registries that may have an image: mirrors that the person or the environment names, then the registry itself.
import { isTranshipError, TranshipError } from "../../base/errors.ts";
import type { Reference } from "../../formats/oci-reference.ts";
import { type RemoteRepository, remoteRepository } from "./endpoint.ts";
import { RegistryClient } from "./registry-client.ts";
import type { RegistrySettings } from "./settings.ts";

interface Source {
  remote: RemoteRepository;
  settings: RegistrySettings;
}

/** Runs `work` with the first that can do it; a mirror that fails is passed over. */
export async function withSources<T>(
  reference: Reference,
  settings: RegistrySettings,
  work: (client: RegistryClient) => Promise<T>,
): Promise<T> {
  const sources = sourcesOf(reference, settings);
  for (const [i, { remote, settings: own }] of sources.entries()) {
    const client = new RegistryClient(remote, own);
    try {
      return await work(client);
    } catch (error) {
      const last = i === sources.length - 1;
      if (last || isTranshipError(error, "E_INTERRUPTED") || isTranshipError(error, "E_NO_SPACE"))
        throw error;
      settings.log?.warn(`mirror ${remote.host}: ${(error as Error).message}`);
    } finally {
      await client.close();
    }
  }
  throw new TranshipError("E_INTERNAL", "there is no registry to ask");
}

function sourcesOf(reference: Reference, settings: RegistrySettings): Source[] {
  const own = remoteRepository(reference);
  const env = settings.env ?? process.env;
  const listed = (env.TRANSHIP_REGISTRY_MIRRORS ?? "").split(/[\s,]+/).filter((word) => word !== "");
  const mirrors = [...(settings.mirrors ?? []), ...listed]
    .map(parseMirror)
    .filter(({ of }) => of === own.registry);
  return [
    ...mirrors.map(({ host, plainHttp }) => ({
      remote: { registry: host, host, repository: own.repository },
      // What was said of the registry (its certificates, its being insecure) was not said of its mirrors.
      settings: { ...without(settings, "certDir", "insecure", "plainHttp", "credentials"), plainHttp },
    })),
    { remote: own, settings },
  ];
}

function without(settings: RegistrySettings, ...names: (keyof RegistrySettings)[]): RegistrySettings {
  return Object.fromEntries(
    Object.entries(settings).filter(([name]) => !names.includes(name as keyof RegistrySettings)),
  );
}

/** "HOST=MIRROR", or "MIRROR" of Docker Hub; http:// in front of the mirror means that it has no TLS. */
function parseMirror(text: string): { of: string; host: string; plainHttp: boolean } {
  const equals = text.indexOf("=");
  const of = equals < 0 ? "docker.io" : text.slice(0, equals);
  const address = text.slice(equals + 1);
  const full = /^https?:\/\//.test(address) ? address : `https://${address}`;
  if (URL.canParse(full)) {
    const url = new URL(full);
    if (url.pathname === "/" && url.search === "" && url.host !== "")
      return { of, host: url.host, plainHttp: url.protocol === "http:" };
  }
  throw new TranshipError("E_USAGE", `not a mirror: ${JSON.stringify(text)}`, {
    hint: "write REGISTRY=MIRROR, for example docker.io=mirror.corp:5000",
  });
}
