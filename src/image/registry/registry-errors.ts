// What goes wrong between us and a registry, in words.
import { TranshipError } from "../../base/errors.ts";

/** The words of an answer's body as the distribution specification has them, shortened; "" where there are none. */
export function wordsOf(body: string): string {
  try {
    const { errors } = JSON.parse(body) as { errors?: { code?: unknown; message?: unknown }[] };
    const [first] = Array.isArray(errors) ? errors : [];
    const words = [first?.code, first?.message].filter((word) => typeof word === "string" && word !== "");
    return words.join(": ").slice(0, 300);
  } catch {
    return "";
  }
}

/** An answer whose status is not what was asked for. `what`: "manifest shop:1". */
export function answerError(what: string, url: URL, status: number, words: string): TranshipError {
  const said = words === "" ? "" : `: ${words}`;
  const details = { status, host: url.host };
  const message = `${url.host} answers ${status} to ${what}${said}`;
  if (status === 404) {
    return new TranshipError("E_REGISTRY_NOT_FOUND", `${url.host} has no ${what}${said}`, {
      hint: "check name and tag; some registries answer so where you may not read it: then log in",
      details,
    });
  }
  if (status === 401 || status === 403) {
    return new TranshipError("E_REGISTRY_DENIED", message, {
      hint: `log in with \`tranship login ${url.host}\`, as somebody who may do that`,
      details,
    });
  }
  return new TranshipError("E_REGISTRY_FAILED", message, { details });
}

const certificateCodes =
  /^(?:CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO_|ERR_TLS_CERT|INVALID_CA|HOSTNAME_MISMATCH)/;

/** A connection that could not be made, or broke. */
export function connectionError(url: URL, cause: unknown): TranshipError {
  if (cause instanceof TranshipError) return cause;
  const error = cause instanceof Error ? cause : new Error(String(cause));
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  // An AggregateError (all addresses of a name failed) has no message of its own.
  const first = error instanceof AggregateError ? (error.errors[0] as Error | undefined) : undefined;
  const wantsCertificate = /^ERR_SSL.*(?:CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|BAD_CERTIFICATE)$/.test(code);
  const tls = !wantsCertificate && /ERR_SSL|EPROTO/.test(code);
  // Node adds what its own command line could do.
  const said = (error.message || first?.message || code).replace(/; if the root CA is installed .*/s, "");
  const reason = tls ? "it does not answer in TLS" : said.split("\n")[0]?.slice(0, 200);
  const client = `where it wants a certificate of the client, put NAME.cert and NAME.key into certs.d/${url.host} or a directory for --cert-dir`;
  const usual = "check the name, the network and the proxy (HTTPS_PROXY, NO_PROXY)";
  const hint = certificateCodes.test(code)
    ? `put the authority's certificate into certs.d/${url.host}/ca.crt or a directory for --cert-dir; --insecure accepts any`
    : tls
      ? "where the registry speaks plain HTTP, and the network between is trusted, give --plain-http"
      : wantsCertificate
        ? client
        : // A server with TLS 1.3 says so only when the connection stands, by closing it.
          url.protocol === "https:" && /^(?:UND_ERR_SOCKET|ECONNRESET)$/.test(code)
          ? `${usual}; ${client}`
          : usual;
  return new TranshipError("E_REGISTRY_UNREACHABLE", `cannot reach ${url.host}: ${reason}`, { hint, cause });
}

/** Worth another try: the connection broke or was not made. */
export function isTransient(cause: unknown): boolean {
  if (cause instanceof TranshipError) return false;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const errors = cause instanceof AggregateError ? cause.errors.map(isTransient) : [];
  return (
    errors.some(Boolean) ||
    /^(?:ECONN|EPIPE|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|UND_ERR_(?:SOCKET|.*TIMEOUT|RES_CONTENT|RESPONSE|REQ_RETRY|BODY)|HPE_)/.test(
      code,
    )
  );
}

export function interrupted(cause: unknown): TranshipError {
  return new TranshipError("E_INTERRUPTED", "the transfer was stopped", {
    hint: "give the same command again: what was moved is not moved again",
    cause,
  });
}

/** The registry sent what it may not send. */
export function badAnswer(what: string, hint?: string): TranshipError {
  return new TranshipError("E_REGISTRY_FAILED", what, hint === undefined ? {} : { hint });
}
