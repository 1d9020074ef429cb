// Files of a deployment on the host: a desktop entry for each shortcut, a file of types, and the unit that starts it after a reboot.
//
// Rules, as EMP has them for shortcuts and file types: where the list is what it was, what is missing is made again and what somebody has
// changed is left; where it is another, what is no longer listed goes and what is new comes. What we did not write, or what was
// changed since, is never removed.
import { createHash } from "node:crypto";
import { existsSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Log } from "../../base/log.ts";
import { makeDirectory, readText, writeFileAtomic } from "../../host/files.ts";
import { installRoot } from "../../host/native.ts";
import { run } from "../../host/process.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import type { Descriptor } from "../../package/descriptor.ts";
import { unitName, unitText } from "../../runtime/boot.ts";
import {
  type DeploymentRecord,
  deploymentNames,
  type HostFile,
  readDeployment,
  writeDeployment,
} from "./record.ts";

interface Wanted {
  path: string;
  content: string;
}

const unitDirectory = "/etc/systemd/system";
const program = join(installRoot, "bin/tranship");

export function digestOfText(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/**
 * Makes the host have what the descriptor lists; the record names a file, with its old content and its new one, before it is written. The list counts
 * once all of it was written. Returns the new record.
 */
export async function applyHostFiles(
  root: StateRoot,
  record: DeploymentRecord,
  descriptor: Descriptor,
  log: Log,
): Promise<DeploymentRecord> {
  const wanted = wantedFiles(root, record, descriptor);
  const listed = digestOfText(JSON.stringify(wanted));
  const before = new Map(record.files.map((file) => [file.path, file]));
  const same = record.listed === listed;
  if (!same)
    for (const file of record.files)
      if (!wanted.some(({ path }) => path === file.path)) removeFile(record, file, log);
  const kept = wanted.filter((one) => mayWrite(record, before.get(one.path), one, log));
  const files = wanted.flatMap(({ path, content }): HostFile[] => {
    const known = before.get(path);
    if (!kept.some((one) => one.path === path)) return known === undefined ? [] : [known];
    const digest = digestOfText(content);
    return [
      { path, digest, ...(known === undefined || known.digest === digest ? {} : { replaces: known.digest }) },
    ];
  });
  if (!same) writeDeployment(root, { ...record, listed: undefined, files });
  for (const { path, content } of kept) {
    const place = join(record.hostRoot, path);
    const now = readText(place);
    if (now !== undefined && (now === content || same)) continue;
    step("write a file of the host");
    makeDirectory(dirname(place), 0o755);
    writeFileAtomic(place, content, { mode: 0o644 });
  }
  const done = files.map(({ path, digest }) => ({ path, digest }));
  const next = same ? record : writeDeployment(root, { ...record, listed, files: done });
  await tellSystemd(
    record,
    kept.some(({ path }) => path.startsWith(unitDirectory)) ? "enable" : undefined,
    root,
    log,
  );
  return next;
}

/** Of what is there: only what we wrote, and nobody changed since. */
function mayWrite(
  record: DeploymentRecord,
  ours: HostFile | undefined,
  { path, content }: Wanted,
  log: Log,
): boolean {
  const now = readText(join(record.hostRoot, path));
  if (now === undefined || now === content) return true;
  const isOurs = ours !== undefined && wrote(ours, now);
  if (!isOurs && ours === undefined) log.warn(`${path} is there already and was left as it is`);
  else if (!isOurs) log.warn(`${path} was changed since it was written and was left as it is`);
  return isOurs;
}

export async function removeHostFiles(root: StateRoot, record: DeploymentRecord, log: Log): Promise<void> {
  for (const file of record.files) {
    const other = file.path.startsWith(unitDirectory) ? heirOf(root, record) : undefined;
    if (other !== undefined) {
      // The unit starts all instances of the state root: the next deployment takes it over.
      if (!other.files.some(({ path }) => path === file.path))
        writeDeployment(root, { ...other, files: [...other.files, file] });
      continue;
    }
    if (file.path.startsWith(unitDirectory)) await tellSystemd(record, "disable", root, log);
    removeFile(record, file, log);
  }
}

/** Another deployment with files below the same root of a host. */
function heirOf(root: StateRoot, { name, hostRoot }: DeploymentRecord): DeploymentRecord | undefined {
  return deploymentNames(root)
    .filter((one) => one !== name)
    .map((one) => readDeployment(root, one))
    .find((one) => one?.hostRoot === hostRoot);
}

function wrote({ digest, replaces }: HostFile, content: string): boolean {
  const found = digestOfText(content);
  return found === digest || found === replaces;
}

function removeFile(record: DeploymentRecord, file: HostFile, log: Log): void {
  const { path } = file;
  const place = join(record.hostRoot, path);
  const now = readText(place);
  if (now === undefined) return;
  if (!wrote(file, now)) {
    log.warn(`${path} was changed since it was written and was left as it is`);
    return;
  }
  step("remove a file of the host");
  rmSync(place, { force: true });
}

async function tellSystemd(
  record: DeploymentRecord,
  verb: "enable" | "disable" | undefined,
  root: StateRoot,
  log: Log,
): Promise<void> {
  if (verb === undefined || record.hostRoot !== "/" || !existsSync("/run/systemd/system")) return;
  for (const words of verb === "enable"
    ? [["daemon-reload"], ["enable", unitName(root.path)]]
    : [["disable", unitName(root.path)]]) {
    const { status, stderr } = await run("systemctl", words);
    if (status !== 0) log.warn(`systemctl ${words.join(" ")}: ${stderr.trim()}`);
  }
}

function wantedFiles(root: StateRoot, record: DeploymentRecord, descriptor: Descriptor): Wanted[] {
  const files = [...desktopEntries(root, record, descriptor), ...typeFile(record, descriptor)];
  if (record.restart.policy !== "no" && existsSync(join(record.hostRoot, unitDirectory)))
    files.push({ path: join(unitDirectory, unitName(root.path)), content: unitText(root, program) });
  return files;
}

/** For each shortcut, and without one for each program that opens a type of file. freedesktop.org Desktop Entry Specification 1.5. */
function desktopEntries(root: StateRoot, record: DeploymentRecord, descriptor: Descriptor): Wanted[] {
  const types = (name: string): string =>
    descriptor.associations
      .filter((one) => one.program === name)
      .flatMap((one) => typesOf(record, one))
      .join(";");
  const shortcuts = descriptor.shortcuts.map((one) => ({ ...one, hidden: false }));
  const hidden = [...new Set(descriptor.associations.map((one) => one.program))]
    .filter((name) => !descriptor.shortcuts.some((one) => one.program === name))
    .map((name) => ({ name, program: name, icon: undefined, comment: undefined, hidden: true }));
  return [...shortcuts, ...hidden].map((one) => {
    const lines = [
      "[Desktop Entry]",
      "Type=Application",
      `Name=${oneLine(one.name)}`,
      ...(one.comment === undefined ? [] : [`Comment=${oneLine(one.comment)}`]),
      ...(one.icon === undefined ? [] : [`Icon=${oneLine(one.icon)}`]),
      `Exec=${[...execWords(root, record, descriptor, one.program).map(execWord), "%F"].join(" ")}`,
      "Terminal=true",
      ...(one.hidden ? ["NoDisplay=true"] : []),
      ...(types(one.program) === "" ? [] : [`MimeType=${types(one.program)};`]),
    ];
    const file = `tranship-${record.name}-${one.name.replace(/[^A-Za-z0-9_.-]+/g, "_")}.desktop`;
    return { path: join("/usr/local/share/applications", file), content: `${lines.join("\n")}\n` };
  });
}

function execWords(
  root: StateRoot,
  record: DeploymentRecord,
  descriptor: Descriptor,
  name: string,
): string[] {
  const found = descriptor.programs.find((one) => one.name === name);
  const user = found?.user === undefined ? [] : ["--user", found.user];
  const directory = found?.workingDirectory === undefined ? [] : ["--workdir", found.workingDirectory];
  return [
    program,
    "--root",
    root.path,
    "exec",
    "-i",
    ...user,
    ...directory,
    record.name,
    ...(found?.command ?? []),
  ];
}

/** Quoted as the specification wants it; % stands for itself when it is doubled. */
function execWord(word: string): string {
  const plain = word.replaceAll("%", "%%");
  if (/^[A-Za-z0-9_./:=@%+,-]+$/.test(plain)) return plain;
  return `"${plain.replace(/[\\"`$]/g, "\\$&")}"`.replaceAll("\\", "\\\\");
}

function oneLine(text: string): string {
  return text.replaceAll("\\", "\\\\").replace(/[\r\n]+/g, " ");
}

function typesOf(
  record: DeploymentRecord,
  { mimeType, extensions }: Descriptor["associations"][number],
): string[] {
  return mimeType === undefined
    ? extensions.map((one) => `application/x-${record.name}-${one}`.toLowerCase())
    : [mimeType];
}

function typeFile(record: DeploymentRecord, { associations }: Descriptor): Wanted[] {
  const globs = new Map<string, string[]>();
  for (const one of associations) {
    const types = typesOf(record, one);
    for (const [i, extension] of one.extensions.entries()) {
      const type = types[i] ?? types[0] ?? "";
      globs.set(type, [...(globs.get(type) ?? []), extension]);
    }
  }
  if (globs.size === 0) return [];
  const types = [...globs].map(
    ([type, extensions]) =>
      `  <mime-type type="${escaped(type)}">\n${extensions.map((one) => `    <glob pattern="*.${escaped(one)}"/>\n`).join("")}  </mime-type>\n`,
  );
  const content = `<?xml version="1.0" encoding="UTF-8"?>\n<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info">\n${types.join("")}</mime-info>\n`;
  return [{ path: `/usr/local/share/mime/packages/tranship-${record.name}.xml`, content }];
}

function escaped(text: string): string {
  return text.replace(/[&<>"\r\n]/g, (char) => `&#${char.charCodeAt(0)};`);
}
