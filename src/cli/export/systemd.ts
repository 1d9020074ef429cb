// tranship export systemd: see src/export/systemd.ts.
import { TranshipError } from "../../base/errors.ts";
import { exportFacts } from "../../export/facts.ts";
import { type Starter, systemdOf } from "../../export/systemd.ts";
import type { Context } from "../context.ts";
import { type Call, text } from "../verb.ts";
import { deliver, packageFor, wishesOf } from "./exporting.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const starter = (text(call.options, "with") ?? "tranship") as Starter;
  const found = await packageFor(call, context, starter !== "tranship");
  const facts = exportFacts(found.descriptor, found.reference, wishesOf(call, found));
  deliver(
    call,
    context,
    systemdOf(facts, {
      with: starter,
      program: absolute("--program", text(call.options, "program") ?? `/usr/bin/${starter}`),
      secretFolder: absolute("--secrets", text(call.options, "secrets") ?? `/etc/${facts.name}/secrets`),
    }),
  );
}

function absolute(flag: string, path: string): string {
  if (/^\/[^\n\0]*$/.test(path)) return path.replace(/(?<=.)\/+$/, "");
  throw new TranshipError("E_USAGE", `${flag} ${JSON.stringify(path)} is no absolute path`, {
    hint: "a unit has no directory of its own to begin from",
  });
}
