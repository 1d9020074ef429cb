// Why a control plane is not reached, in words that say what to do: the WebSocket of the agent does not tell, and OpenSSL speaks of something else.
import { get } from "node:http";
import { get as getSecurely } from "node:https";

/** Milliseconds. */
const patience = 5_000;

/** Resolves with a reason, also where it answers now. */
export function whyNotReached(url: string): Promise<string> {
  return new Promise((resolve) => {
    const open = url.startsWith("https:") ? getSecurely : get;
    const request = open(new URL("/ping", url), { agent: false, timeout: patience }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? "no answer" : `it answers ${response.statusCode} to /ping`);
    });
    request.on("timeout", () => request.destroy(new Error(`no answer within ${patience / 1000} s`)));
    request.on("error", (error: NodeJS.ErrnoException) => resolve(reasonOf(error, url)));
  });
}

export function reasonOf({ code = "", message }: NodeJS.ErrnoException, url: string): string {
  if (/CERT|ISSUER|SIGNATURE/.test(code) && !code.startsWith("ERR_TLS_CERT_ALTNAME"))
    return `its certificate is not trusted (${message}): set NODE_EXTRA_CA_CERTS to the certificate of its authority`;
  if (url.startsWith("https:") && (code === "EPROTO" || code.startsWith("ERR_SSL")))
    return `it does not speak TLS (${message}): is it http://?`;
  if (url.startsWith("http:") && (code === "ECONNRESET" || code.startsWith("HPE_")))
    return `it does not speak HTTP (${message}): is it https://?`;
  return message;
}
