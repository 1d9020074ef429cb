// Credentials of registries: in docker's config.json, or with the program docker-credential-NAME that it names.
import { isTranshipError, TranshipError } from "../../base/errors.ts";
import { run } from "../../host/process.ts";
import { configDirectory, type DockerConfig, readDockerConfig, updateDockerConfig } from "./docker-config.ts";
import { hubCredentialKey } from "./endpoint.ts";
import type { Credentials, RegistrySettings } from "./settings.ts";

/** A helper may ask a person or a far service. Milliseconds. */
const helperTime = 60_000;

export class CredentialStore {
  readonly #directory: string;
  readonly #env: NodeJS.ProcessEnv;

  constructor(settings: RegistrySettings) {
    this.#env = settings.env ?? process.env;
    this.#directory = configDirectory(settings.configDir, this.#env);
  }

  /** undefined where nothing is kept for that registry. */
  async get(registry: string): Promise<Credentials | undefined> {
    const config = readDockerConfig(this.#directory);
    const helper = helperOf(config, registry);
    if (helper !== undefined) {
      const found = await this.#ask(helper, registry);
      if (found !== undefined) return found;
    }
    for (const key of keysOf(registry)) {
      const entry = config.auths?.[key];
      if (entry?.identitytoken !== undefined && entry.identitytoken !== "")
        return { identityToken: entry.identitytoken };
      const pair = entry?.auth === undefined ? undefined : decodePair(entry.auth, registry);
      if (pair !== undefined) return pair;
      if (entry?.username !== undefined && entry.password !== undefined)
        return { username: entry.username, password: entry.password };
    }
    return undefined;
  }

  /** Keeps them; returns where: a helper's name, or the path of the file. */
  async set(registry: string, credentials: Credentials): Promise<string> {
    const helper = helperOf(readDockerConfig(this.#directory), registry);
    const key = keyOf(registry);
    if (helper !== undefined) {
      const [Username, Secret] =
        "identityToken" in credentials
          ? ["<token>", credentials.identityToken]
          : [credentials.username, credentials.password];
      await this.#helper(helper, "store", JSON.stringify({ ServerURL: key, Username, Secret }));
      return `docker-credential-${helper}`;
    }
    await updateDockerConfig(this.#directory, (config) => {
      config.auths ??= {};
      config.auths[key] =
        "identityToken" in credentials
          ? { identitytoken: credentials.identityToken }
          : { auth: Buffer.from(`${credentials.username}:${credentials.password}`).toString("base64") };
    });
    return `${this.#directory}/config.json`;
  }

  /** False where there was nothing. */
  async erase(registry: string): Promise<boolean> {
    const config = readDockerConfig(this.#directory);
    const helper = helperOf(config, registry);
    let found = false;
    if (helper !== undefined && (await this.#ask(helper, registry)) !== undefined) {
      for (const key of keysOf(registry)) await this.#helper(helper, "erase", key).catch(() => undefined);
      found = true;
    }
    if (!keysOf(registry).some((key) => config.auths?.[key] !== undefined)) return found;
    await updateDockerConfig(this.#directory, (current) => {
      for (const key of keysOf(registry)) delete current.auths?.[key];
    });
    return true;
  }

  async #ask(helper: string, registry: string): Promise<Credentials | undefined> {
    for (const key of keysOf(registry)) {
      const output = await this.#helper(helper, "get", key).catch((error: unknown) => {
        if (isNothing(error)) return undefined;
        throw error;
      });
      if (output === undefined) continue;
      const answer = decodeAnswer(output, helper);
      if (answer.Secret === "") continue;
      if (answer.Username === "<token>") return { identityToken: answer.Secret };
      return { username: answer.Username, password: answer.Secret };
    }
    return undefined;
  }

  async #helper(helper: string, verb: string, input: string): Promise<string> {
    // A path in the name would run any program.
    if (!/^[A-Za-z0-9._-]+$/.test(helper))
      throw new TranshipError("E_IO", `docker's config.json names the helper ${JSON.stringify(helper)}`, {
        hint: "a helper is the part of a program's name behind docker-credential-",
      });
    const program = `docker-credential-${helper}`;
    const result = await run(program, [verb], {
      input,
      env: this.#env,
      timeout: helperTime,
      maxOutput: 1 << 20,
    }).catch((error: unknown) => {
      if (!isTranshipError(error, "E_TOOL_MISSING")) throw error;
      throw new TranshipError("E_TOOL_MISSING", `${program} is not installed`, {
        hint: `docker's config.json in ${this.#directory} names it: put it into PATH, or take it out there`,
        cause: error,
      });
    });
    const output = new TextDecoder().decode(result.stdout);
    if (result.status === 0) return output;
    // Helpers tell their errors on stdout. What a "get" says on success is never part of a message.
    const words = (output.trim() || result.stderr.trim()).split("\n")[0]?.slice(0, 200) ?? "";
    throw new TranshipError(
      "E_TOOL_FAILED",
      `${program} ${verb} ended with status ${result.status}: ${words}`,
      {
        hint: "try the program by hand, or take it out of docker's config.json",
        details: { program, verb, words },
      },
    );
  }
}

function isNothing(error: unknown): boolean {
  return (
    error instanceof TranshipError && /not found|no credentials/i.test(String(error.details.words ?? ""))
  );
}

function decodeAnswer(output: string, helper: string): { Username: string; Secret: string } {
  try {
    const value = JSON.parse(output) as { Username?: unknown; Secret?: unknown };
    if (typeof value.Username === "string" && typeof value.Secret === "string")
      return { Username: value.Username, Secret: value.Secret };
  } catch {} // told below; the output may hold a secret and is not shown
  throw new TranshipError(
    "E_TOOL_FAILED",
    `docker-credential-${helper} get gave no answer that can be read`,
    {
      hint: "try the program by hand",
    },
  );
}

function helperOf(config: DockerConfig, registry: string): string | undefined {
  for (const key of keysOf(registry)) {
    const own = config.credHelpers?.[key];
    if (own !== undefined && own !== "") return own;
  }
  return config.credsStore === "" ? undefined : config.credsStore;
}

/** The key that is written. */
function keyOf(registry: string): string {
  return registry === "docker.io" ? hubCredentialKey : registry;
}

/** The keys that programs have written. */
function keysOf(registry: string): string[] {
  if (registry === "docker.io")
    return [hubCredentialKey, "docker.io", "index.docker.io", "registry-1.docker.io"];
  return [
    registry,
    `https://${registry}`,
    `https://${registry}/v2/`,
    `https://${registry}/v1/`,
    `http://${registry}`,
  ];
}

function decodePair(auth: string, registry: string): Credentials | undefined {
  if (auth === "") return undefined;
  const text = Buffer.from(auth, "base64").toString("utf8").replace(/\0+$/, "");
  const colon = text.indexOf(":");
  if (colon < 1)
    throw new TranshipError(
      "E_IO",
      `docker's config.json has credentials for ${registry} that are no name and password`,
      {
        hint: `log in again with \`tranship login ${registry}\``,
      },
    );
  return { username: text.slice(0, colon), password: text.slice(colon + 1) };
}
