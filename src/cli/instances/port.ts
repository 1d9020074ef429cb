// tranship port: all published ports, or where one of them is.
import { TranshipError } from "../../base/errors.ts";
import { inspectInstance } from "../../runtime/find.ts";
import { hostEnd, isSix } from "../../runtime/network/ports.ts";
import type { Context } from "../context.ts";
import { printRows } from "../format.ts";
import { type Call, text } from "../verb.ts";

export async function run(
  { args: [name = "", wanted], options }: Call,
  context: Context,
): Promise<undefined> {
  const { record, status } = inspectInstance(context.root, name);
  const published = status.state === "running" ? (status.launch?.ports ?? []) : [];
  // As docker sorts them.
  const ports = [...published].sort(
    (a, b) =>
      a.containerPort - b.containerPort ||
      Number(a.protocol === "udp") - Number(b.protocol === "udp") ||
      Number(isSix(a)) - Number(isSix(b)) ||
      a.hostPort - b.hostPort,
  );
  const rows = ports.map((port) => ({
    Port: `${port.containerPort}/${port.protocol}`,
    Host: hostEnd(port),
  }));
  const format = text(options, "format") ?? "table";
  if (wanted !== undefined) {
    const full = wanted.includes("/") ? wanted : `${wanted}/tcp`;
    const found = rows.filter((row) => row.Port === full);
    if (found.length === 0) {
      throw new TranshipError("E_INSTANCE_STATE", `no public port '${full}' published for ${record.name}`, {
        hint: `\`tranship port ${record.name}\` lists what is published`,
      });
    }
    context.print(
      format === "table" ? found.map((row) => `${row.Host}\n`).join("") : printRows(found, format),
    );
  } else if (format !== "table") context.print(printRows(rows, format));
  else context.print(rows.map((row) => `${row.Port} -> ${row.Host}\n`).join(""));
}
