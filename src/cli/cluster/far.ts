// `cluster join ssh://...` and `cluster leave ssh://...`: what the flags say of far nodes.
import { readFileSync } from "node:fs";
import { TranshipError } from "../../base/errors.ts";
import { farSteps } from "../../cluster/far/dry-run.ts";
import { FarNode } from "../../cluster/far/far-node.ts";
import { joinFar } from "../../cluster/far/join-far.ts";
import { leaveFar } from "../../cluster/far/leave-far.ts";
import { joinToken, readEndpoint } from "../../cluster/keys.ts";
import { shellWords } from "../../formats/shell-words.ts";
import { installRoot } from "../../host/native.ts";
import { sshChoices } from "../capture/with-machine.ts";
import type { Context } from "../context.ts";
import { versionText } from "../general/version-text.ts";
import { type Call, flag, list, text } from "../verb.ts";
import { givenToken } from "./given-token.ts";
import { keepingWords } from "./retention.ts";

/** Flags that go on to the node as they are; without defaults, which are the node's. */
const engineFlags = [
  ["engine", "--engine"],
  ["engineHost", "--engine-host"],
  ["taskNetwork", "--task-network"],
] as const;

export async function joinNodes(call: Call, context: Context): Promise<undefined> {
  if (dryRun(call, context, "join")) return;
  const { url, token } = controlPlane(call, context);
  const name = text(call.options, "name");
  if (name !== undefined && call.args.length > 1)
    throw usage("--name is of one node", "join the nodes one by one, or let each be called as its host is");
  const engine = engineWords(call);
  const join = [
    ...engine,
    ...(name === undefined ? [] : ["--name", name]),
    ...list(call.options, "attribute").flatMap((word) => ["--attribute", word]),
    ...list(call.options, "registry").flatMap((word) => ["--registry", word]),
    ...keepingWords(call),
    ...(["plainHttp", "insecure"] as const)
      .filter((word) => flag(call.options, word))
      .map((word) => (word === "insecure" ? "--insecure" : "--plain-http")),
  ];
  const file = url.startsWith("https:") ? process.env.NODE_EXTRA_CA_CERTS : undefined;
  const authority = file === undefined || file === "" ? {} : { authority: readFileSync(file, "utf8") };
  const version = versionText(installRoot);
  for (const address of call.args) {
    const there = await FarNode.with(address, sshChoices(call.options, context), context.root, (node) =>
      joinFar(node, { url, token, join, leave: engine, version, say: context.say, ...authority }),
    );
    context.print(there ? `${address} runs the agent of ${url} already` : `${address} has joined ${url}`);
  }
}

export async function leaveNodes(call: Call, context: Context): Promise<undefined> {
  if (dryRun(call, context, "leave")) return;
  for (const address of call.args) {
    const had = await FarNode.with(address, sshChoices(call.options, context), context.root, (node) =>
      leaveFar(node, versionText(installRoot), context.say),
    );
    context.print(had ? `${address} has left` : `${address} has no agent`);
  }
}

function engineWords({ options }: Call): string[] {
  return engineFlags.flatMap(([name, word]) => {
    const value = text(options, name);
    return value === undefined ? [] : [word, value];
  });
}

/** As the nodes reach it, with what lets them in. */
function controlPlane(call: Call, context: Context): { url: string; token: string } {
  const given = text(call.options, "endpointUrl")?.replace(/\/$/, "");
  const url = given ?? readEndpoint(context.root.path).url;
  if (!/^https?:\/\/[^/\s']+$/.test(url))
    throw usage(`${url} is not the URL of a control plane`, "--endpoint-url http://HOST:PORT");
  if (given === undefined && /^https?:\/\/(127\.|localhost|\[::1?\]|0\.0\.0\.0)/.test(url))
    throw usage(
      `the control plane listens at ${url}: other machines do not reach it there`,
      "start it with --listen on an address of the network, or give --endpoint-url as the nodes reach it",
    );
  const token = givenToken(call) ?? (given === undefined ? joinToken(context.root.path) : undefined);
  if (token === undefined) throw usage("no token is given", "with --endpoint-url, give --token-file too");
  return { url, token };
}

/** Every command is listed before one is run. */
function dryRun(call: Call, context: Context, verb: "join" | "leave"): boolean {
  if (!flag(call.options, "dryRun")) return false;
  for (const address of call.args) {
    const { ssh, steps } = farSteps(address, sshChoices(call.options, context), verb);
    context.print(
      [
        "nothing was done. This would run here:",
        `  ${shellWords(ssh)} COMMAND`,
        "and there, as COMMAND:",
        ...steps.flatMap(({ what, command }) => [`  # ${what}`, `  ${command}`]),
      ].join("\n"),
    );
  }
  return true;
}

export function usage(message: string, hint: string): TranshipError {
  return new TranshipError("E_USAGE", message, { hint });
}
