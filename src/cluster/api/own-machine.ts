// What is taken without a signature is taken from this machine alone. Its address does not tell that: a page in a browser here may send, and the name of its own server may lead here.
import type { IncomingHttpHeaders } from "node:http";
import { EcsError } from "./ecs-error.ts";

/** Throws where the request is for another name than this machine's own, or comes from the page of another one. */
export function fromThisMachine({ host = "localhost", origin }: IncomingHttpHeaders): void {
  for (const url of [`http://${host}`, ...(origin === undefined ? [] : [origin])])
    if (!isLoopback(url))
      throw new EcsError(
        "AccessDeniedException",
        `Without a signature calls are taken for localhost and loopback addresses only, not for ${url.slice(0, 100)}.`,
        { status: 403 },
      );
}

function isLoopback(url: string): boolean {
  const { hostname } = URL.canParse(url) ? new URL(url) : { hostname: "" };
  return /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname);
}
