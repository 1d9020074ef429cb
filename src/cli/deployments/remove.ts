import { resolve } from "node:path";
import { deploymentNamed } from "../../deploy/target/record.ts";
import { removeDeployment } from "../../deploy/target/remove.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, flag, text } from "../verb.ts";
import { deployTools, forPeople } from "./tools.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const [name = ""] = call.args;
  const format = text(call.options, "format") ?? "json";
  const given = text(call.options, "saveData");
  const saveTo = given === undefined ? undefined : resolve(given);
  if (flag(call.options, "dryRun")) {
    const { volumes, files } = deploymentNamed(context.root, name);
    const plan = { name, volumes, files: files.map(({ path }) => path), saved: saveTo, dryRun: true };
    const data =
      volumes.length === 0
        ? ""
        : `; its data (${volumes.join(", ")}) ${saveTo === undefined ? "stays" : `goes to ${saveTo}`}`;
    context.print(forPeople(call) ? `would remove ${name}${data}` : printValue(plan, format));
    return;
  }
  const removed = await removeDeployment(deployTools(call, context), name, saveTo);
  context.print(forPeople(call) ? name : printValue(removed, format));
  if (removed.kept.length > 0) context.say(`its data stays: ${removed.kept.join(", ")}`);
  if (removed.saved !== undefined) context.say(`its data is in ${removed.saved}`);
}
