// --tls-cert and --tls-key of the verbs that serve.
import { TranshipError } from "../base/errors.ts";
import { readInput } from "../host/files.ts";
import { type OptionSpec, type OptionValues, text } from "./verb.ts";

export const tlsOptionSpecs: readonly OptionSpec[] = [
  { flags: "--tls-cert <FILE>", summary: "certificate, with those of its authorities behind it, in PEM" },
  { flags: "--tls-key <FILE>", summary: "its key, in PEM" },
];

/** undefined: no TLS is wanted. */
export function tlsOptions(options: OptionValues): { cert: Buffer; key: Buffer } | undefined {
  const cert = text(options, "tlsCert");
  const key = text(options, "tlsKey");
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined)
    throw new TranshipError("E_USAGE", "--tls-cert and --tls-key belong together", { hint: "give both" });
  return { cert: pem(cert), key: pem(key) };
}

function pem(path: string): Buffer {
  const bytes = readInput(path, "the certificate or key", 1 << 20);
  if (bytes?.includes("-----BEGIN ") === true) return bytes;
  throw new TranshipError("E_USAGE", `${path} holds no certificate or key in PEM`, {
    hint: "give files that begin with -----BEGIN",
  });
}
