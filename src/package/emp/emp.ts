// EMP folders and packages: which descriptor a folder has, and which folder a package.
//
// A folder that Tranship wrote holds tranship.yaml too, the descriptor as it is stored. What somebody has changed in the files of EMP
// since then is carried over to it. The other way round, the files of an imported folder are kept, and a changed descriptor changes in
// them what differs: bytes that are not concerned stay.
import { TranshipError } from "../../base/errors.ts";
import type { EmpFolder } from "../../formats/emp/files.ts";
import { type EmpFiles, readFolder, writeFolder } from "../../formats/emp/folder.ts";
import type { Descriptor } from "../descriptor.ts";
import { parseDescriptor, printDescriptor } from "../yaml.ts";
import { carryOver, type KeyOf } from "./carry-over.ts";
import { plainName } from "./commands.ts";
import { shortcutName } from "./file-types.ts";
import { folderOf, reportOf } from "./from-descriptor.ts";
import { descriptorOf } from "./to-descriptor.ts";

/** The descriptor in a folder that Tranship wrote. */
export const descriptorName = "tranship.yaml";

export interface ReadFolder {
  /** YAML; where tranship.yaml says the same as the files, its text. */
  text: string;
  descriptor: Descriptor;
  notes: string[];
}

/** E_EMP_INVALID, E_DESCRIPTOR_INVALID, E_LIMIT. `files`: of the folder's top, by name. */
export function packageOf(files: EmpFiles): ReadFolder {
  const folder = readFolder(files);
  const plain = descriptorOf(folder);
  const kept = files.get(descriptorName);
  if (kept === undefined) {
    const text = printDescriptor(plain.descriptor);
    return { text, descriptor: parseDescriptor(text, "the folder"), notes: plain.notes };
  }
  const text = new TextDecoder().decode(kept);
  const own = parseDescriptor(text, descriptorName);
  const before = descriptorOf(only(folderOf(own), folder)).descriptor;
  const merged = carryOver(own, before, plain.descriptor, descriptorKey) as Descriptor;
  if (merged === own) return { text, descriptor: own, notes: [] };
  const changed = printDescriptor(merged);
  return { text: changed, descriptor: parseDescriptor(changed, descriptorName), notes: [] };
}

/** The files that a package has in its folder: those of the folder that it came from (`before`), with what has changed since. */
export function filesOf(before: EmpFiles, text: string, name: string): Map<string, Uint8Array> {
  const descriptor = parseDescriptor(text, name);
  if (!/^[A-Za-z0-9_.-]{1,128}$/.test(descriptor.metadata.id))
    throw new TranshipError(
      "E_DESCRIPTOR_INVALID",
      `the id ${JSON.stringify(descriptor.metadata.id)} is none for EMP`,
      {
        hint: "change it: tranship package edit --set metadata.id=NAME; letters, digits and _ . - only",
      },
    );
  const isNew = before.size === 0;
  const files = new Map(before);
  if (isNew) {
    const folder = { ...folderOf(descriptor), report: reportOf(descriptor) };
    for (const [one, bytes] of writeFolder(before, folder)) files.set(one, bytes);
  } else {
    const known = packageOf(before);
    if (known.text === text) return files;
    const folder = readFolder(before);
    const changed = carryOver(
      folder,
      folderOf(known.descriptor),
      folderOf(descriptor),
      folderKey,
    ) as EmpFolder;
    for (const [one, bytes] of writeFolder(before, changed)) files.set(one, bytes);
    files.delete(descriptorName);
    // What EMP can say stands in its files; a descriptor beside them only where it says more.
    if (!before.has(descriptorName) && packageOf(files).text === text) return files;
  }
  files.set(descriptorName, new TextEncoder().encode(text));
  return files;
}

/** Files that are not there say nothing, not that there is nothing. */
function only(folder: EmpFolder, like: EmpFolder): EmpFolder {
  return Object.fromEntries(Object.entries(folder).filter(([name]) => name in like));
}

const descriptorKey: KeyOf = (list, item) => {
  if (list === "files" || list === "network") return String(item.from);
  for (const key of ["name", "path", "program", "port"])
    if (item[key] !== undefined) return String(item[key]);
  return undefined;
};

const folderKey: KeyOf = (list, item) => {
  const text = (key: string): string => String(item[key] ?? "");
  switch (list) {
    case "programs":
      return plainName(text("runCondition"));
    case "services":
    case "variables":
      return plainName(text("name")).toLowerCase();
    case "shortcuts":
      return shortcutName(text("path"));
    case "files":
    case "keys":
    case "names":
      return text("from")
        .replace(/[\\/]+$/, "")
        .replaceAll("\\", "/")
        .toLowerCase();
    case "includes":
      return text("path").replaceAll("\\", "/").toLowerCase();
    case "writes":
      return `${text("key").replace(/^HKLM\\/i, "HKEY_LOCAL_MACHINE\\")}|${text("name")}`.toLowerCase();
    case "install":
    case "uninstall":
      return `${text("path")} ${text("arguments")}`;
    default:
      return undefined;
  }
};
