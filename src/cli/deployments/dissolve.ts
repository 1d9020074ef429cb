import { resolve } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import {
  type DissolveRequest,
  dissolveAsDeb,
  dissolveAsFiles,
  planInto,
} from "../../deploy/dissolve/dissolve.ts";
import { undoDissolve } from "../../deploy/dissolve/undo.ts";
import { escapeBytes } from "../../formats/escape.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { packagedOf } from "../store/packaged.ts";
import { type Call, flag, text } from "../verb.ts";
import { forPeople } from "./tools.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const { options } = call;
  const [reference = ""] = call.args;
  const [into, deb] = [text(options, "into"), text(options, "deb")];
  const undo = flag(options, "undo");
  if ((into === undefined) === (deb === undefined) || (undo && into === undefined)) {
    throw new TranshipError("E_USAGE", "where should it go?", {
      hint: "give one of --into DIR and --deb FILE",
    });
  }
  const told = (words: string, value: object): void =>
    context.print(forPeople(call) ? words : printValue(value, text(options, "format") ?? "json"));
  if (undo && into !== undefined) {
    if (flag(options, "dryRun")) {
      told(`would take ${reference} out of ${into}`, { id: reference, path: resolve(into), dryRun: true });
      return;
    }
    const undone = undoDissolve(resolve(into), reference, context.log);
    told(
      `${undone.id}: ${undone.removed} removed, ${undone.restored} put back, ${undone.left.length} left as changed`,
      undone,
    );
    return;
  }
  const { store, image, text: yaml } = packagedOf(context, reference);
  const request = { store, image, text: yaml, log: context.log };
  if (deb !== undefined) await asDeb(request, deb, flag(options, "dryRun"), told);
  else if (into !== undefined) await asFiles(request, into, flag(options, "dryRun"), told);
}

type Tell = (words: string, value: object) => void;

async function asDeb(request: DissolveRequest, file: string, dryRun: boolean, told: Tell): Promise<void> {
  if (dryRun) {
    told(`would write ${file}`, { path: resolve(file), dryRun });
    return;
  }
  const built = await dissolveAsDeb(request, file);
  told(`${built.path}: ${built.name} ${built.version}, depends on ${built.depends.length} packages`, built);
}

async function asFiles(request: DissolveRequest, into: string, dryRun: boolean, told: Tell): Promise<void> {
  if (dryRun) {
    const { add, replace, kept, accounts, units } = await planInto(request, into);
    const users = accounts.passwd.map((line) => line.split(":")[0] ?? "");
    const value = {
      path: resolve(into),
      add: add.map(escapeBytes),
      replace: replace.map(escapeBytes),
      kept: kept.map(escapeBytes),
      users,
      units: units.map(({ path }) => path),
      dryRun,
    };
    const lines = [
      ...value.replace.map((path) => `  replace ${path}`),
      ...value.units.map((path) => `  unit ${path}`),
      ...users.map((name) => `  user ${name}`),
    ];
    told(
      [
        `would add ${add.length} objects to ${into}, replace ${replace.length}, leave ${kept.length} that differ`,
        ...lines,
      ].join("\n"),
      value,
    );
    return;
  }
  const done = await dissolveAsFiles(request, into);
  const units = done.units.length === 0 ? "" : `, ${done.units.length} units`;
  told(
    `${done.id}: ${done.added} added, ${done.replaced} replaced, ${done.kept} left as they are${units}`,
    done,
  );
}
