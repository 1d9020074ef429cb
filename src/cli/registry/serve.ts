import { TranshipError } from "../../base/errors.ts";
import { type ServerOptions, startRegistry } from "../../image/registry-server/server.ts";
import { openStore } from "../../image/store.ts";
import type { Context } from "../context.ts";
import { tlsOptions } from "../tls.ts";
import { type Call, flag, type OptionValues, text } from "../verb.ts";

/** Serves until it is told to stop. */
export async function run(call: Call, context: Context): Promise<undefined> {
  const options = serverOptions(call.options, context);
  const server = await startRegistry(openStore(context.root), options);
  const { address, port, family } = server.address;
  const host = family === "IPv6" ? `[${address}]` : address;
  context.print(`${options.tls === undefined ? "http" : "https"}://${host}:${port}`);
  if (options.htpasswd !== undefined && options.tls === undefined && !isLoopback(address))
    context.log.warn("names and passwords cross the network in the clear: give --tls-cert and --tls-key");
  const { signal } = context;
  if (!signal.aborted)
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  await server.close();
}

function serverOptions(options: OptionValues, context: Context): ServerOptions {
  const { host, port } = parseListen(text(options, "listen") ?? "127.0.0.1:5000");
  const htpasswd = text(options, "htpasswd");
  const readOnly = flag(options, "readOnly");
  if (!readOnly && htpasswd === undefined && !isLoopback(host) && !flag(options, "anonymousWrites")) {
    throw new TranshipError(
      "E_USAGE",
      `whoever reaches ${host}:${port} could replace the packages that this host runs`,
      {
        hint: "give --htpasswd FILE, or --read-only, or --anonymous-writes where that is meant",
      },
    );
  }
  const tls = tlsOptions(options);
  return {
    host,
    port,
    readOnly,
    ...(htpasswd === undefined ? {} : { htpasswd }),
    ...(tls === undefined ? {} : { tls }),
    log: context.log,
  };
}

function parseListen(listen: string): { host: string; port: number } {
  const [, host = "", port = ""] = /^(\[[0-9a-fA-F:.]+\]|[^:]*):(\d{1,5})$/.exec(listen) ?? [];
  if (port === "" || Number(port) > 65535) {
    throw new TranshipError("E_USAGE", `not an address to listen on: ${JSON.stringify(listen)}`, {
      hint: "write HOST:PORT, for example 127.0.0.1:5000 or [::]:5000",
    });
  }
  return { host: host === "" ? "0.0.0.0" : host.replace(/^\[|\]$/g, ""), port: Number(port) };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\./.test(host);
}
