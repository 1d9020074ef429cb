// tranship config: see settings.ts.
import { resolve } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { defaultStateRoot, isStateRoot } from "../../host/state-root.ts";
import { isTerminal } from "../../host/terminal.ts";
import { storedSubnet } from "../../runtime/network/choice.ts";
import type { Context } from "../context.ts";
import { printRows } from "../format.ts";
import { columns } from "../listing.ts";
import { type Call, flag, text } from "../verb.ts";
import { type Setting, settingsOf } from "./settings.ts";

export async function run({ args, options }: Call, context: Context): Promise<undefined> {
  const [what = "show"] = args;
  if (what !== "show")
    throw new TranshipError("E_USAGE", `config has no ${JSON.stringify(what)}`, {
      hint: "`tranship config show --origin` shows all settings; they are changed by flags and by the environment",
    });
  const root = resolve(text(options, "root") || defaultStateRoot());
  const settings = settingsOf({
    options,
    env: process.env,
    root,
    // Looking makes none.
    subnet: isStateRoot(root) ? storedSubnet(context.root) : undefined,
    terminal: isTerminal(2),
  });
  const format = text(options, "format") ?? "table";
  if (format !== "table") context.print(printRows(settings, format));
  else if (flag(options, "origin"))
    context.print(
      columns(settings, { ...titles, ORIGIN: (one) => one.origin, MEANING: (one) => one.meaning }),
    );
  else context.print(columns(settings, titles));
}

const titles = { SETTING: (one: Setting) => one.name, VALUE: (one: Setting) => one.value || "-" };
