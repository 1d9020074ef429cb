// What a person or an administrator says about registries: flags of the command line, and the environment.
import type { Log } from "../../base/log.ts";

export interface RegistrySettings {
  /** Speak HTTP without TLS to the registry that was named. */
  plainHttp?: boolean;
  /** Accept any certificate of the registry that was named. */
  insecure?: boolean;
  /** A directory with ca.crt, client.cert and client.key for the registry that was named, before those of certs.d. */
  certDir?: string;
  /** "HOST=MIRROR" or, for Docker Hub, "MIRROR"; tried in order before the registry itself, for pulls alone. */
  mirrors?: readonly string[];
  /** Hosts (and ports) that the registry may send us to though their address is private, and that may ask for its credentials. */
  trustedHosts?: readonly string[];
  /** Times that a request is repeated. Default 5. */
  retries?: number;
  /** Milliseconds before the first repetition; each further one waits twice as long. Default 500. */
  retryDelay?: number;
  /** docker's folder with config.json. Default DOCKER_CONFIG, else ~/.docker. */
  configDir?: string;
  /** Instead of what is kept: for `login`. */
  credentials?: Credentials;
  env?: NodeJS.ProcessEnv;
  signal?: AbortSignal;
  log?: Log;
}

/** A name and a password, or a token that the registry gave at a login. */
export type Credentials = { username: string; password: string } | { identityToken: string };
