// File types and shortcuts: registry keys below HKLM\SOFTWARE\Classes and .lnk files there, associations and shortcuts of a descriptor here.
import type { EmpShortcut, RegistryWrite } from "../../formats/emp/files.ts";
import { runConditionIn, runnerOf } from "../../formats/emp/run-conditions.ts";
import type { Association, Shortcut } from "../descriptor.ts";
import { plainName } from "./commands.ts";

const classes = /^(?:HKEY_LOCAL_MACHINE|HKLM)\\SOFTWARE\\Classes\\/i;
const classesKey = "HKEY_LOCAL_MACHINE\\SOFTWARE\\Classes";

/** Extensions by the program that opens them, in the order of the file. */
export function associationsOf(writes: readonly RegistryWrite[]): Association[] {
  const programs = new Map<string, string>();
  const types = new Map<string, { progId: string; mimeType?: string }>();
  for (const { key = "", name = "", value = "" } of writes) {
    const below = classes.test(key) ? key.replace(classes, "") : undefined;
    if (below === undefined) continue;
    const command = /^([^\\]+)\\shell\\open\\command$/i.exec(below)?.[1];
    const condition = command === undefined ? undefined : runConditionIn(value);
    if (command !== undefined && condition !== undefined) programs.set(command.toLowerCase(), condition);
    if (!/^\.[^\\]+$/.test(below)) continue;
    const known = types.get(below) ?? { progId: "" };
    if (name === "") types.set(below, { ...known, progId: value });
    else if (/^content type$/i.test(name)) types.set(below, { ...known, mimeType: value });
  }
  const found = new Map<string, Association>();
  for (const [extension, { progId, mimeType }] of types) {
    const program = programs.get(progId.toLowerCase());
    if (program === undefined) continue;
    const key = `${program}\n${mimeType ?? ""}`;
    const before = found.get(key)?.extensions ?? [];
    const association = { program: plainName(program), extensions: [...before, extension.slice(1)] };
    found.set(key, mimeType === undefined ? association : { ...association, mimeType });
  }
  return [...found.values()];
}

/** The ids carry the package's, so that those of two packages do not meet in the host's registry. */
export function empAssociations(associations: readonly Association[], packageId: string): RegistryWrite[] {
  const { path, arguments: call } = runnerOf();
  const commands = new Map<string, RegistryWrite>();
  const types: RegistryWrite[] = [];
  for (const { program, extensions, mimeType } of associations) {
    const progId = `${program}_${packageId}`;
    const text = (key: string, name: string, value: string): RegistryWrite => ({
      key: `${classesKey}\\${key}`,
      name,
      type: "String",
      value,
    });
    for (const extension of extensions) {
      types.push(text(`.${extension}`, "", progId));
      if (mimeType !== undefined) types.push(text(`.${extension}`, "Content Type", mimeType));
    }
    const key = `${progId}\\shell\\open\\command`;
    commands.set(progId, text(key, "", `"${path}" ${call(program)} "%1"`));
  }
  return [...types, ...commands.values()];
}

/** Without a run condition it starts something else, and is none of the package's. */
export function shortcutOf(one: EmpShortcut): Shortcut | undefined {
  const condition = runConditionIn(one.arguments ?? "");
  if (condition === undefined) return undefined;
  return {
    name: shortcutName(one.path ?? ""),
    program: plainName(condition),
    ...(one.icon === undefined || one.icon === "" ? {} : { icon: one.icon }),
    ...(one.description === undefined || one.description === "" ? {} : { comment: one.description }),
  };
}

/** "Acme" of `%CommonPrograms%\Acme\Acme.lnk`. */
export function shortcutName(path: string): string {
  return path.replace(/^.*[\\/]/, "").replace(/\.lnk$/i, "");
}

export function empShortcut({ name, program, icon, comment }: Shortcut): EmpShortcut {
  const { path, arguments: call } = runnerOf();
  return {
    path: `%CommonPrograms%\\${name}.lnk`,
    target: path,
    arguments: call(program),
    ...(comment === undefined ? {} : { description: comment }),
    ...(icon === undefined ? {} : { icon, iconIndex: "0" }),
  };
}
