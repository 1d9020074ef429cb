// docker's config.json: credentials, and which program keeps them. What we do not know in it stays as it is.
import { existsSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { makeDirectory, readInput, writeFileAtomic } from "../../host/files.ts";
import { acquireLock } from "../../host/lock.ts";

interface AuthEntry {
  /** base64 of "name:password". */
  auth?: string;
  identitytoken?: string;
  username?: string;
  password?: string;
}

export interface DockerConfig {
  auths?: Record<string, AuthEntry>;
  credHelpers?: Record<string, string>;
  credsStore?: string;
}

const maxConfig = 4 << 20;

export function configDirectory(chosen: string | undefined, env: NodeJS.ProcessEnv): string {
  if (chosen !== undefined) return chosen;
  const named = env.DOCKER_CONFIG;
  return named !== undefined && named !== "" ? named : join(homedir(), ".docker");
}

/** Empty where there is none. E_IO where it cannot be understood: then no request goes out without what it may say. */
export function readDockerConfig(directory: string): DockerConfig {
  const path = join(directory, "config.json");
  if (!existsSync(path)) return {};
  const bytes = readInput(path, "the docker configuration", maxConfig);
  try {
    if (bytes === undefined) throw new Error(`it has more than ${maxConfig} bytes`);
    const value = JSON.parse(bytes.toString("utf8")) as unknown;
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw new Error("it is no object");
    return value as DockerConfig;
  } catch (cause) {
    throw new TranshipError("E_IO", `cannot read ${path}: ${(cause as Error).message}`, {
      hint: "mend the file, or name another directory with DOCKER_CONFIG",
      cause,
    });
  }
}

/** Changes the file under a lock beside it; it is readable by its owner alone. */
export async function updateDockerConfig(
  directory: string,
  change: (config: DockerConfig) => void,
): Promise<void> {
  makeDirectory(directory);
  const path = join(directory, "config.json");
  const lock = await acquireLock(`${path}.tranship-lock`, "change docker's config.json");
  try {
    const config = readDockerConfig(directory);
    change(config);
    // Others may have been let read it; nobody is let in newly.
    const mode = existsSync(path) ? statSync(path).mode & 0o600 : 0o600;
    writeFileAtomic(path, `${JSON.stringify(config, null, "\t")}\n`, { mode });
  } finally {
    lock.release();
  }
}
