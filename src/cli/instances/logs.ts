import { encodeText, escapeBytes } from "../../formats/escape.ts";
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
  const { lines, full, left } = ledOf(findAny(context.root, name), path === "/" ? "" : path);
  for (const one of lines) {
    const end = one.errno > 0 ? `errno ${one.errno}` : one.redirected ? "redirected" : "not redirected";
    const [from, to] = [one.from, one.to].map((text) => escapeBytes(encodeText(text)));
    const line = `${one.pid} ${one.kind} ${from} -> ${to} {${end}}`;
    context.print(stamps ? `${one.time} ${line}` : line);
  }
  if (full.length > 0)
    context.log.warn(
      `1 MiB was full of processes ${full.slice(0, 20).join(", ")}: what they did later is not there`,
    );
  if (left > 0) context.log.warn(`${left} more processes wrote something down, longer ago: not read`);
}
