import { deploymentNames, readDeployment } from "../../deploy/target/record.ts";
import { isUp } from "../../deploy/target/versions.ts";
import type { Context } from "../context.ts";
import { printRows, printTable } from "../format.ts";
import { type Call, text } from "../verb.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const rows = deploymentNames(context.root).flatMap((name) => {
    const record = readDeployment(context.root, name);
    if (record === undefined) return [];
    const { current, previous, pending, packageId, files, volumes } = record;
    const state =
      pending !== undefined
        ? `${pending.verb} broken off`
        : current !== undefined && isUp(context.root, current.instance)
          ? "running"
          : "stopped";
    return [
      {
        name,
        packageId,
        version: current?.version ?? "",
        previous: previous?.version ?? "",
        state,
        reference: current?.reference ?? "",
        instance: current?.instance ?? "",
        files: files.map(({ path }) => path),
        volumes,
      },
    ];
  });
  const format = text(call.options, "format") ?? "table";
  const cells = rows.map((row) => [row.name, row.version, row.previous, row.state, row.reference]);
  context.print(
    format === "table"
      ? printTable(["NAME", "VERSION", "BEFORE", "STATE", "PACKAGE"], cells)
      : printRows(rows, format),
  );
}
