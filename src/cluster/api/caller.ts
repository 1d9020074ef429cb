// Who makes a request: its signature verified, or, where calls need none, the account itself.
import type { IncomingMessage } from "node:http";
import type { Call, Control } from "../control/control.ts";
import type { Session } from "../roles/sessions.ts";
import { sessionPrincipal } from "../roles/task-roles.ts";
import { fromThisMachine } from "./own-machine.ts";
import { ReplayGuard, type SecretOf, verifySignature } from "./sigv4.ts";

export interface CallerOptions {
  control: Control;
  /** The secret of an access key; undefined: no such key. */
  secretOf: (accessKeyId: string) => string | undefined;
  /** Calls without a signature are taken; to be used on loopback only. */
  unsigned: boolean;
  /** Whether requests come in over TLS. */
  secure: boolean;
}

/** Throws the EcsError that is to be answered. */
export type CallOf = (request: IncomingMessage, body: Uint8Array) => Call;

/** Remembers which signatures were taken. */
export function callers(options: CallerOptions): CallOf {
  const { control } = options;
  const replays = new ReplayGuard();
  const scheme = options.secure ? "https" : "http";
  return ({ method = "", url = "", headers }, body) => {
    const endpoint = `${scheme}://${headers.host ?? "localhost"}`;
    if (options.unsigned) {
      fromThisMachine(headers);
      const region = /Credential=[^/]*\/\d+\/([a-z0-9-]+)\//.exec(headers.authorization ?? "")?.[1];
      const principal = `arn:aws:iam::${control.account}:root`;
      return { control, principal, region: region ?? control.region, endpoint };
    }
    let session: Session | undefined;
    const secretOf: SecretOf = (key, token) => {
      session = control.roles?.session(control, key, token);
      // A key of a person has no token.
      return session?.secretAccessKey ?? (token === undefined ? options.secretOf(key) : undefined);
    };
    const now = control.clock.now();
    const { accessKeyId, region, ...taken } = verifySignature({ method, url, headers, body }, secretOf, now);
    replays.take(taken, now);
    if (session !== undefined)
      return {
        control,
        principal: sessionPrincipal(control.account, session),
        role: session.role,
        region,
        endpoint,
      };
    return { control, principal: `arn:aws:iam::${control.account}:user/${accessKeyId}`, region, endpoint };
  };
}
