// tranship attach: our terminal becomes that of a detached instance, until it ends or the detach keys are typed.
import { TranshipError } from "../../base/errors.ts";
import { isTerminal } from "../../host/terminal.ts";
import { type Attached, attachInstance, endedSince } from "../../runtime/attach.ts";
import { findAny } from "../../runtime/find.ts";
import { killInstance } from "../../runtime/stop.ts";
import type { Context } from "../context.ts";
import { printBytes } from "../streams.ts";
import { type Call, text } from "../verb.ts";
import { DetachKeys, defaultDetachKeys, parseDetachKeys } from "./detach-keys.ts";

export interface AttachWishes {
  keys: readonly number[];
  stdin: boolean;
  proxySignals: boolean;
}

export async function run({ args: [name = ""], options }: Call, context: Context): Promise<number> {
  return await attach(context, name, {
    keys: parseDetachKeys(text(options, "detachKeys") ?? defaultDetachKeys),
    stdin: options.stdin !== false,
    proxySignals: !(text(options, "sigProxy") === "false" || options.sigProxy === false),
  });
}

/** The exit status of the instance; 0 where its keys were left. */
export async function attach(context: Context, name: string, wishes: AttachWishes): Promise<number> {
  const instance = findAny(context.root, name);
  const { record } = instance;
  const attached = await attachInstance(context.root, record.id, {
    output: (stream, bytes) => printBytes(bytes, stream),
  });
  const raw = record.terminal && wishes.stdin && isTerminal(0);
  const ends: (() => void)[] = [];
  let left = false;
  const leave = (): void => {
    left = true;
    attached.detach();
  };
  try {
    if (wishes.stdin && (record.interactive || record.terminal))
      ends.push(typeFrom(attached, raw, wishes.keys, leave));
    if (record.terminal) ends.push(followSize(attached));
    ends.push(signals(context, record.id, wishes.proxySignals && !raw, leave));
    const status = await attached.ended;
    if (left && raw) context.say("read escape sequence");
    if (left) return status ?? 0;
    const told = status ?? (await endedSince(context.root, instance, attached.launch));
    if (told !== undefined) return told;
    throw new TranshipError("E_INSTANCE_STATE", `the connection to ${record.name} was lost; it goes on`, {
      hint: `\`tranship attach ${record.name}\` looks at it again`,
    });
  } finally {
    for (const end of ends) end();
  }
}

function typeFrom(attached: Attached, raw: boolean, keys: readonly number[], leave: () => void): () => void {
  const { stdin } = process;
  const detach = new DetachKeys(raw ? keys : []);
  const take = (bytes: Buffer): void => {
    const { passed, complete } = detach.feed(bytes);
    if (passed.length > 0) attached.type(passed);
    if (complete) leave();
  };
  if (raw) stdin.setRawMode(true);
  stdin.on("data", take);
  return () => {
    stdin.off("data", take);
    if (raw) stdin.setRawMode(false);
    stdin.pause();
    stdin.unref();
  };
}

function followSize(attached: Attached): () => void {
  const { stdout } = process;
  const tell = (): void => {
    if (stdout.columns > 0 && stdout.rows > 0) attached.resize(stdout.rows, stdout.columns);
  };
  tell();
  stdout.on("resize", tell);
  return () => stdout.off("resize", tell);
}

/** Passed on to the instance, or, where they are ours, the end of looking. */
function signals(context: Context, id: string, proxy: boolean, leave: () => void): () => void {
  const names = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const;
  const handlers = names.map((name) => {
    const handler = (): void => {
      if (proxy)
        void killInstance(context.root, id, name, context.log).catch(() => {}); // it has just ended
      else leave();
    };
    process.on(name, handler);
    return { name, handler };
  });
  return () => {
    for (const { name, handler } of handlers) process.off(name, handler);
  };
}
