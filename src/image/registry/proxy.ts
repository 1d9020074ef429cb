// Which proxy a request goes through: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, in either case, as curl and Go's programs read them.
import { BlockList, isIP } from "node:net";
import { TranshipError } from "../../base/errors.ts";

/** undefined: go straight. */
export function proxyFor(url: URL, env: NodeJS.ProcessEnv): string | undefined {
  const value = (name: string): string | undefined => env[name.toLowerCase()] || env[name] || undefined;
  const proxy = value(url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY") ?? value("ALL_PROXY");
  if (proxy === undefined || isExempt(url, value("NO_PROXY") ?? "")) return undefined;
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(proxy) ? proxy : `http://${proxy}`;
  if (!URL.canParse(full) || !/^https?:$/.test(new URL(full).protocol)) {
    throw new TranshipError(
      "E_USAGE",
      `the environment names a proxy that is no http:// or https:// address`,
      {
        hint: "see HTTPS_PROXY, HTTP_PROXY and ALL_PROXY",
      },
    );
  }
  return full;
}

function isExempt(url: URL, list: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, "").toLowerCase();
  if (host === "localhost" || host === "::1" || /^127\./.test(host)) return true;
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return list
    .split(/[\s,]+/)
    .filter((word) => word !== "")
    .some((word) => fits(word.toLowerCase(), host, port));
}

function fits(word: string, host: string, port: string): boolean {
  if (word === "*") return true;
  if (word.includes("/")) return inNetwork(word, host);
  const [, name = "", wanted] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(word) ?? ["", word, undefined];
  if (wanted !== undefined && wanted !== port) return false;
  const bare = name.replace(/^\[|\]$/g, "").replace(/^\*?\./, "");
  return bare !== "" && (host === bare || host.endsWith(`.${bare}`));
}

function inNetwork(word: string, host: string): boolean {
  const [address = "", prefix = ""] = word.split("/");
  const family = isIP(host);
  if (family === 0 || isIP(address) !== family || !/^\d+$/.test(prefix)) return false;
  if (Number(prefix) > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(address, Number(prefix), family === 4 ? "ipv4" : "ipv6");
  return list.check(host, family === 4 ? "ipv4" : "ipv6");
}
