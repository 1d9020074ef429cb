import { TranshipError } from "../../base/errors.ts";
import { type ClusterClient, clusterClient } from "../../cluster/client.ts";
import { accessKeys, readEndpoint } from "../../cluster/keys.ts";
import type { Context } from "../context.ts";
import { type Call, text } from "../verb.ts";

/** A client of the control plane of this state root, or of the one that --endpoint-url names (with the keys of this state root). */
export function clientOf(call: Call, context: Context): ClusterClient {
  const given = text(call.options, "endpointUrl");
  const endpoint =
    given === undefined ? readEndpoint(context.root.path) : { url: given, region: "us-east-1" };
  const [key] = accessKeys(context.root.path);
  if (key === undefined || !URL.canParse(endpoint.url))
    throw new TranshipError("E_USAGE", `${endpoint.url} is not a URL`, {
      hint: "--endpoint-url http://HOST:PORT",
    });
  return clusterClient(endpoint, key);
}
