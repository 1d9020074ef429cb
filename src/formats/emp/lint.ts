// What is wrong with an EMP folder, or will be when it is deployed: judged by its files and by what lies below ProgData.
import { type EmpProgram, type XmlFileName, xmlFiles } from "./files.ts";
import { type EmpFiles, openXml, readFolder } from "./folder.ts";
import { belowDefaultDirectory, engineCall, runConditionIn } from "./run-conditions.ts";
import { follow, type ListField, listed } from "./shape.ts";
import { placeOf, rootOf } from "./xml-tree.ts";

export interface EmpLintFinding {
  id: EmpLintRule;
  severity: "error" | "warning";
  file: string;
  line: number | undefined;
  /** One sentence with the value concerned. */
  message: string;
}

export type EmpLintRule =
  | "package-id"
  | "run-condition-dangling"
  | "run-condition-twice"
  | "program-missing"
  | "rule-escapes"
  | "features-twice"
  | "feature-off"
  | "network-name";

/** `has`: whether a path below the folder is there, parts with / between them, with no regard to case. E_EMP_INVALID as readFolder(). */
export function lintFolder(files: EmpFiles, has: (path: string) => boolean): EmpLintFinding[] {
  return new Linter(files, has).all();
}

class Linter {
  readonly #files: EmpFiles;
  readonly #has: (path: string) => boolean;
  readonly #folder: ReturnType<typeof readFolder>;
  readonly #found: EmpLintFinding[] = [];

  constructor(files: EmpFiles, has: (path: string) => boolean) {
    this.#files = files;
    this.#has = has;
    this.#folder = readFolder(files);
  }

  all(): EmpLintFinding[] {
    this.#id();
    this.#programs();
    this.#conditions();
    this.#rules();
    this.#engine();
    return this.#found;
  }

  #id(): void {
    const id = this.#folder.metadata?.packageId;
    if (id !== undefined && /^[A-Za-z0-9_.-]{1,128}$/.test(id)) return;
    const message =
      id === undefined
        ? "the folder names no PackageId"
        : `the PackageId ${JSON.stringify(id)} has more than letters, digits, _ . and -`;
    this.#found.push({
      id: "package-id",
      severity: "error",
      file: "_metadata.json",
      line: undefined,
      message,
    });
  }

  #programs(): void {
    const seen = new Set<string>();
    for (const [i, one] of (this.#folder.programs?.programs ?? []).entries()) {
      const name = one.runCondition ?? "";
      if (seen.has(name))
        this.#add(
          "run-condition-twice",
          "error",
          ["programs", "programs", i],
          `the run condition ${JSON.stringify(name)} is there twice: the first counts`,
        );
      seen.add(name);
      this.#program(one, ["programs", "programs", i]);
    }
    for (const list of ["install", "uninstall"] as const)
      for (const [i, one] of (this.#folder.deployment?.[list] ?? []).entries())
        this.#program(one, ["deployment", list, i]);
  }

  #program(one: EmpProgram, at: Place): void {
    const { program } = engineCall(one.path ?? "", one.arguments ?? "");
    const path = belowDefaultDirectory(program);
    if (path === undefined || this.#has(path)) return;
    // The engine's own programs are put there when the package is deployed.
    if (/^Compatibility\.Package\.[\w.]+\.exe$/i.test(path)) return;
    this.#add(
      "program-missing",
      "error",
      at,
      `${path}, the program of ${one.runCondition ?? "a script"}, is not in the folder`,
    );
  }

  #conditions(): void {
    const known = new Set((this.#folder.programs?.programs ?? []).map((one) => one.runCondition ?? ""));
    const check = (name: string | undefined, what: string, at: Place): void => {
      if (name === undefined || known.has(name)) return;
      const there = [...known].join(", ") || "none";
      this.#add(
        "run-condition-dangling",
        "error",
        at,
        `${what} starts the run condition ${JSON.stringify(name)}, which is not among those of Programs.xml (${there})`,
      );
    };
    for (const [i, one] of (this.#folder.services?.services ?? []).entries())
      check(runConditionIn(one.imagePath ?? ""), `the service ${one.name ?? ""}`, [
        "services",
        "services",
        i,
      ]);
    for (const [i, one] of (this.#folder.shortcuts?.shortcuts ?? []).entries())
      check(runConditionIn(one.arguments ?? ""), `the shortcut ${one.path ?? ""}`, [
        "shortcuts",
        "shortcuts",
        i,
      ]);
    for (const [i, one] of (this.#folder.associations?.writes ?? []).entries())
      check(runConditionIn(one.value ?? ""), `the file type ${one.key ?? ""}`, ["associations", "writes", i]);
  }

  #rules(): void {
    for (const [i, { from, to }] of (this.#folder.redirections?.files ?? []).entries()) {
      if (to === undefined) continue;
      const parts = to.split(/[\\/]+/);
      const absolute = /^([A-Za-z]:|[\\/]|%)/.test(to);
      if (!absolute && !parts.includes("..")) continue;
      this.#add(
        "rule-escapes",
        "error",
        ["redirections", "files", i],
        `${from ?? ""} leads to ${to}, which is outside of the package`,
      );
    }
  }

  #engine(): void {
    const opened = openXml(this.#files, "engine");
    const engine = this.#folder.engine;
    if (opened === undefined || engine === undefined) return;
    const blocks = follow(rootOf(opened.document), ["Features"]);
    const { source } = opened.document;
    if (blocks.length > 1)
      this.#found.push({
        id: "features-twice",
        severity: "error",
        file: opened.name,
        line: placeOf(source, blocks[1]?.start ?? 0).line,
        message: "there is more than one <Features>: the engine refuses to start",
      });
    const on = engine.features.some(({ name }) => name?.toLowerCase() === "networkredirection");
    const rules = engine.names.length + engine.connects.length + (engine.computer === undefined ? 0 : 1);
    if (rules > 0 && !on)
      this.#found.push({
        id: "feature-off",
        severity: "warning",
        file: opened.name,
        line: undefined,
        message: "there are network rules, and the feature NetworkRedirection is not on: they do nothing",
      });
    for (const name of [engine.computer, ...engine.names.flatMap((rule) => [rule.from, rule.to])])
      if (
        name !== undefined &&
        !/^[^.\\/:*?"<>|,~!@#$%^&'(){}_ ][^\\/:*?"<>|,~!@#$%^&'(){} ]{0,14}$/.test(name)
      )
        this.#found.push({
          id: "network-name",
          severity: "warning",
          file: opened.name,
          line: undefined,
          message: `${JSON.stringify(name)} is no name of up to 15 characters: EMP does not redirect it`,
        });
  }

  /** Some hundreds tell enough; each has its element looked for. */
  #add(id: EmpLintRule, severity: "error" | "warning", at: Place, message: string): void {
    if (this.#found.length >= maxFindings) return;
    const [file, list, index] = at;
    const opened = openXml(this.#files, file);
    const fields = xmlFiles[file].fields as unknown as Record<string, ListField>;
    const field = fields[list];
    const element =
      opened === undefined || field === undefined ? undefined : listed(rootOf(opened.document), field)[index];
    const line =
      opened === undefined || element === undefined
        ? undefined
        : placeOf(opened.document.source, element.start).line;
    this.#found.push({ id, severity, file: opened?.name ?? xmlFiles[file].names[0], line, message });
  }
}

const maxFindings = 300;

type Place = readonly [file: XmlFileName, list: string, index: number];
