// Logging in to one registry: basic, or tokens of a service that the registry names (docker's token protocol, also with identity
// tokens). Name and password go to the registry that they were given for and to its own token service, and to nobody else.
import { TranshipError } from "../../base/errors.ts";
import { type Challenge, parseChallenges } from "../../formats/auth-challenge.ts";
import type { Connections } from "./connections.ts";
import { CredentialStore } from "./credentials.ts";
import { readDocument } from "./document.ts";
import { answerError, badAnswer, wordsOf } from "./registry-errors.ts";
import type { Credentials, RegistrySettings } from "./settings.ts";

const maxToken = 64 << 10;

export class Authorizer {
  readonly #registry: string;
  readonly #base: URL;
  readonly #connections: Connections;
  readonly #settings: RegistrySettings;
  #credentials: Promise<Credentials | undefined> | undefined;
  /** What the registry last asked for. */
  #challenge: Challenge | undefined;
  readonly #tokens = new Map<string, Promise<string>>();

  constructor(registry: string, base: URL, connections: Connections, settings: RegistrySettings) {
    this.#registry = registry;
    this.#base = base;
    this.#connections = connections;
    this.#settings = settings;
  }

  /** The header Authorization for a request to the registry itself, as far as is known what it wants. */
  async header(scopes: readonly string[]): Promise<string | undefined> {
    if (this.#challenge === undefined) return undefined;
    if (this.#challenge.scheme === "basic") {
      const credentials = await this.#known();
      return credentials !== undefined && "username" in credentials ? basic(credentials) : undefined;
    }
    const key = scopes.join(" ");
    let token = this.#tokens.get(key);
    if (token === undefined) {
      token = this.#fetchToken(this.#challenge, scopes);
      this.#tokens.set(key, token);
      token.catch(() => this.#tokens.delete(key));
    }
    return `Bearer ${await token}`;
  }

  /** The registry answered 401: true where another try with what it asks for makes sense. `sent`: what the last try had. */
  async learn(
    header: string | string[] | undefined,
    scopes: readonly string[],
    sent: string | undefined,
  ): Promise<boolean> {
    const challenges = [header ?? []].flat().flatMap(parseChallenges);
    const chosen =
      challenges.find(({ scheme }) => scheme === "bearer") ??
      challenges.find(({ scheme }) => scheme === "basic");
    if (chosen === undefined) return false;
    this.#challenge = chosen;
    // A token may have run out; it is fetched once more.
    if (chosen.scheme === "bearer") return this.#tokens.delete(scopes.join(" ")) || sent === undefined;
    return sent === undefined && (await this.#known()) !== undefined;
  }

  #known(): Promise<Credentials | undefined> {
    this.#credentials ??=
      this.#settings.credentials === undefined
        ? new CredentialStore(this.#settings).get(this.#registry)
        : Promise.resolve(this.#settings.credentials);
    return this.#credentials;
  }

  async #fetchToken(challenge: Challenge, scopes: readonly string[]): Promise<string> {
    const url = this.#realm(challenge.parameters.realm);
    const credentials = await this.#known();
    if (credentials !== undefined) this.#checkRealm(url);
    const { service } = challenge.parameters;
    const wanted =
      scopes.length > 0 ? scopes : [challenge.parameters.scope ?? ""].filter((word) => word !== "");
    const answer =
      credentials !== undefined && "identityToken" in credentials
        ? await this.#refresh(url, credentials.identityToken, service, wanted)
        : await this.#ask(url, credentials, service, wanted);
    const text = new TextDecoder().decode(
      await readDocument(answer.body, maxToken, `the token of ${url.host}`),
    );
    if (answer.statusCode !== 200)
      throw answerError("the request for a token", url, answer.statusCode, wordsOf(text));
    return tokenIn(text, url);
  }

  async #ask(
    url: URL,
    credentials: Credentials | undefined,
    service: string | undefined,
    scopes: readonly string[],
  ) {
    if (service !== undefined) url.searchParams.set("service", service);
    for (const scope of scopes) url.searchParams.append("scope", scope);
    const headers: Record<string, string> = {};
    if (credentials !== undefined && "username" in credentials) headers.authorization = basic(credentials);
    return await this.#connections.send(url, { method: "GET", headers, signal: this.#settings.signal });
  }

  async #refresh(url: URL, token: string, service: string | undefined, scopes: readonly string[]) {
    const form = new URLSearchParams({
      grant_type: "refresh_token",
      client_id: "tranship",
      refresh_token: token,
    });
    if (service !== undefined) form.set("service", service);
    if (scopes.length > 0) form.set("scope", scopes.join(" "));
    return await this.#connections.send(url, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: form.toString(),
      signal: this.#settings.signal,
    });
  }

  #realm(text: string | undefined): URL {
    if (text === undefined || !URL.canParse(text))
      throw badAnswer(
        `${this.#base.host} names no address where tokens are given: ${JSON.stringify(text ?? "")}`,
      );
    const url = new URL(text);
    url.username = "";
    url.password = "";
    const plain = url.protocol === "http:" && this.#base.protocol === "http:";
    if (url.protocol === "https:" || plain) return url;
    throw new TranshipError(
      "E_REGISTRY_UNSAFE",
      `${this.#base.host} sends to ${url.origin} for a token, without TLS`,
      {
        hint: "tell the registry's administrator; nothing was sent there",
      },
    );
  }

  /** Credentials go to the registry's own host, to one beside it in its domain, and to those that the person trusts. */
  #checkRealm(url: URL): void {
    if (url.hostname === this.#base.hostname || this.#connections.isTrusted(url)) return;
    if (sameDomain(url.hostname, this.#base.hostname) && url.protocol === "https:") return;
    throw new TranshipError(
      "E_REGISTRY_UNSAFE",
      `${this.#base.host} asks to send its credentials to another host, ${url.host}`,
      { hint: `where that is its token service, give --trust-host ${url.host}` },
    );
  }
}

/** registry.example.com and auth.example.com, example.com and registry.example.com; never by a bare top level, nor by addresses. */
function sameDomain(one: string, other: string): boolean {
  const parent = (name: string): string => name.slice(name.indexOf(".") + 1);
  const named = (name: string): boolean => /[a-z]$/i.test(name) && name.includes(".");
  if (!named(one) || !named(other)) return false;
  if (one.endsWith(`.${other}`) || other.endsWith(`.${one}`)) return true;
  return parent(one) === parent(other) && /^[^.]{4,}\.[^.]+$|^[^.]+\.[^.]+\.[^.]+/.test(parent(one));
}

function basic({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

function tokenIn(text: string, url: URL): string {
  try {
    const answer = JSON.parse(text) as { token?: unknown; access_token?: unknown };
    const token = answer.token ?? answer.access_token;
    // Anything else could end the header and begin another.
    if (typeof token === "string" && /^[\x21-\x7e]+$/.test(token)) return token;
  } catch {} // told below
  throw badAnswer(`${url.host} gave no token that can be used`);
}
