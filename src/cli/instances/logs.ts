import { findAny } from "../../runtime/find.ts";
import { ledOf } from "../../runtime/inprocess/led.ts";
import { type LogLine, logsOf } from "../../runtime/logs.ts";
import type { Context } from "../context.ts";
import { printText } from "../streams.ts";
import { type Call, flag, text } from "../verb.ts";
import { tailOf } from "./tail-of.ts";
import { timeOf } from "./time-of.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const { options } = call;
  const path = text(options, "redirections");
  if (path !== undefined) return printLed(context, call.args[0] ?? "", path, flag(options, "timestamps"));
  const since = text(options, "since");
  const until = text(options, "until");
  const service = text(options, "service");
  const tail = tailOf(text(options, "tail"));
  const stamps = flag(options, "timestamps");
  const write = (line: LogLine): void => {
    // What it wrote to stderr goes to ours, each as it was written.
    printText(stamps ? `${line.time} ${line.text}` : line.text, line.stream === "stderr" ? 2 : 1);
  };
  await logsOf(
    context.root,
    call.args[0] ?? "",
    {
      follow: flag(options, "follow"),
      signal: context.signal,
      ...(tail === undefined ? {} : { tail }),
      ...(since === undefined ? {} : { since: new Date(timeOf("--since", since)).toISOString() }),
      ...(until === undefined ? {} : { until: new Date(timeOf("--until", until)).toISOString() }),
      ...(service === undefined ? {} : { service }),
    },
    write,
  );
}

/** FROM -> TO {redirected}, or the errno of what led nowhere. */
function printLed(context: Context, name: string, path: string, stamps: boolean): undefined {
  for (const one of ledOf(findAny(context.root, name), path === "/" ? "" : path)) {
    const end = one.errno > 0 ? `errno ${one.errno}` : one.redirected ? "redirected" : "not redirected";
    const line = `${one.pid} ${one.kind} ${one.from} -> ${one.to} {${end}}`;
    context.print(stamps ? `${one.time} ${line}` : line);
  }
}
