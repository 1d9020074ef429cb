// Connections to a registry and to where it sends us. What the person named may lie anywhere; what a registry names (redirects, token
// services) may not have a private address, or a hostile registry could use this machine to reach what is behind its firewall. The
// address is judged when the connection is made, so a name cannot change its meaning in between.
import { type LookupAddress, type LookupOptions, lookup } from "node:dns";
import { getCACertificates } from "node:tls";
import { Agent, type Dispatcher, ProxyAgent } from "undici";
import { TranshipError } from "../../base/errors.ts";
import { isAddress, isPrivateAddress } from "../../formats/ip-address.ts";
import { tlsFiles } from "./certificates.ts";
import { proxyFor } from "./proxy.ts";
import type { RegistrySettings } from "./settings.ts";

/** Milliseconds. A registry may take long to answer the end of a large upload; between pieces of a body it may not. */
const connectTime = 30_000;
const answerTime = 300_000;
const pieceTime = 60_000;

export interface Send {
  method: Dispatcher.HttpMethod;
  headers: Record<string, string>;
  body?: Dispatcher.DispatchOptions["body"];
  signal?: AbortSignal | undefined;
}

export class Connections {
  readonly #settings: RegistrySettings;
  /** Host and port that the person named. */
  readonly #named: string;
  readonly #open = new Map<string, Dispatcher>();

  constructor(named: string, settings: RegistrySettings) {
    this.#named = named;
    this.#settings = settings;
  }

  /** One request, answered as it is: no redirect is followed. */
  async send(url: URL, { method, headers, body, signal }: Send): Promise<Dispatcher.ResponseData> {
    const dispatcher = this.#dispatcher(url);
    return await dispatcher.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method,
      // One piece of a body at a time: several would be joined, and what they were joined from is left for the collector.
      highWaterMark: 1,
      headers: { "user-agent": "tranship", ...headers },
      ...(body === undefined ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map((dispatcher) => dispatcher.destroy()));
    this.#open.clear();
  }

  /** The person has named this host, as the registry or as one to trust. */
  isNamed(url: URL): boolean {
    return url.host === this.#named || this.isTrusted(url);
  }

  isTrusted(url: URL): boolean {
    return (this.#settings.trustedHosts ?? []).some((host) => host === url.host || host === url.hostname);
  }

  #dispatcher(url: URL): Dispatcher {
    if (!this.isNamed(url) && isAddress(url.hostname) && isPrivateAddress(url.hostname))
      throw refused(this.#named, url.host, url.hostname);
    const known = this.#open.get(url.origin);
    if (known !== undefined) return known;
    const made = this.#connect(url);
    this.#open.set(url.origin, made);
    return made;
  }

  #connect(url: URL): Dispatcher {
    const tls = url.protocol === "https:" ? this.#tls(url) : {};
    const limits = {
      connections: 8,
      allowH2: false,
      headersTimeout: answerTime,
      bodyTimeout: pieceTime,
      maxHeaderSize: 64 << 10,
    };
    const proxy = proxyFor(url, this.#settings.env ?? process.env);
    if (proxy !== undefined) {
      // The proxy looks names up: what they mean there is for its administrator to judge.
      return new ProxyAgent({ ...limits, uri: proxy, requestTls: tls, proxyTls: { ca: authorities() } });
    }
    const guard = this.isNamed(url) ? {} : { lookup: guardedLookup(this.#named, url.host) };
    return new Agent({ ...limits, connect: { timeout: connectTime, ...tls, ...guard } });
  }

  #tls(url: URL): { ca: string[]; cert?: string; key?: string; rejectUnauthorized?: boolean } {
    const named = url.host === this.#named;
    const { ca, cert, key } = tlsFiles(url.host, named ? this.#settings.certDir : undefined);
    return {
      ca: [...authorities(), ...ca],
      ...(cert === undefined || key === undefined ? {} : { cert, key }),
      ...(named && this.#settings.insecure === true ? { rejectUnauthorized: false } : {}),
    };
  }
}

/** Those that Node knows and those of the system: companies put theirs there. */
function authorities(): string[] {
  return [...new Set([...getCACertificates("default"), ...getCACertificates("system")])];
}

type LookupCallback = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void;

function guardedLookup(registry: string, host: string) {
  return (name: string, options: LookupOptions, callback: LookupCallback): void => {
    lookup(name, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, []);
      const bad = addresses.find(({ address }) => isPrivateAddress(address));
      if (bad !== undefined) return callback(refused(registry, host, bad.address), []);
      const [first] = addresses;
      if (options.all === true || first === undefined) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

function refused(registry: string, host: string, address: string): TranshipError {
  return new TranshipError(
    "E_REGISTRY_UNSAFE",
    `${registry} sends to ${host}, whose address ${address} is not a public one`,
    { hint: `where that is meant, give --trust-host ${host}` },
  );
}
