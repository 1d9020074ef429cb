// The table of redirections: every mode, every call that takes a path, by libc and by the system call itself.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { FileRedirection } from "../../src/package/descriptor.ts";
import {
  answersOf,
  inProcessEngine,
  namespaceEngine,
  type RedirectEngine,
  rule,
} from "../support/redirect-engines.ts";
import {
  type Expected,
  type FileMode,
  type FolderMode,
  fileCells,
  folderCells,
  testedBy,
} from "../support/redirect-table.ts";

const engines: readonly RedirectEngine[] = [namespaceEngine, inProcessEngine];
const kinds = ["libc", "raw"] as const;
const operations = folderCells("full", "namespace").map((cell) => cell.operation);
/** Of two rules with one place, what each name of it gives. */
const namings = ["relative", "dot-dot", "getcwd", "openat", "o-path", "fd-name", "list-libc"] as const;
const fileOperations = fileCells("full", "namespace").map((cell) => cell.operation);

/** A folder with what the operations take. `text`: of its files. */
function makeFolder(path: string, text: string): void {
  mkdirSync(path, { recursive: true });
  for (const name of ["own", "gone"]) writeFileSync(join(path, name), text);
  for (const operation of operations)
    for (const kind of kinds) {
      const file = join(path, `${operation}-${kind}`);
      writeFileSync(file, text);
      if (/link/.test(operation)) symlinkSync(`${operation}-${kind}`, `${file}.link`);
      if (operation === "rmdir") mkdirSync(`${file}.empty`);
      if (!/^(rename-folder|rmdir-full|relative|dot-dot|getcwd)$/.test(operation)) continue;
      mkdirSync(`${file}.dir`);
      writeFileSync(join(`${file}.dir`, "inner"), text);
    }
}

function compile(work: string): string {
  const program = join(work, "calls");
  const source = join(import.meta.dirname, "../fixtures/redirect-calls.c");
  const headers = `/usr/include/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`;
  const kernel = ["-idirafter", "/usr/include", "-idirafter", headers];
  execFileSync("musl-gcc", [
    "-static",
    "-O1",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-std=gnu11",
    ...kernel,
    "-o",
    program,
    source,
  ]);
  return program;
}

for (const engine of engines) {
  describe(`redirections by the ${engine.name} engine`, {
    skip: engine.whyNot() ?? false,
    timeout: 300_000,
  }, () => {
    let work: string;
    let host: string;
    let program: string;
    const tested = testedBy(engine.name);
    const answers = new Map<string, Map<string, string>>();
    before(async () => {
      work = mkdtempSync(join(tmpdir(), "tranship-redirections-"));
      host = join(work, "host");
      program = compile(work);
      for (const mode of tested.folders.filter(isOfHost)) {
        makeFolder(folderAt(mode), "host");
        for (const name of ["host", "host-libc", "host-raw"])
          writeFileSync(join(folderAt(mode), name), "host");
      }
      for (const mode of ["merged", "merged-own"])
        for (const name of names(mode)) writeFileSync(join(host, name), "host");
      const { status, stdout, stderr } = await engine.run({
        prepare,
        rules: rules(),
        host: [host],
        command: ["/bin/sh", "-c", script()],
      });
      assert.equal(status, 0, stderr);
      for (const part of stdout.split("== ").slice(1)) {
        const end = part.indexOf("\n");
        answers.set(part.slice(0, end), answersOf(part.slice(end + 1)));
      }
    });
    after(() => rmSync(work, { recursive: true, force: true }));

    function names(mode: string): string[] {
      return fileOperations.flatMap((operation) => kinds.map((kind) => `${mode}-${operation}-${kind}`));
    }

    function prepare(tree: string): void {
      execFileSync("cp", [program, join(tree, "bin/calls")]);
      for (const name of ["out", "r", "x", "p/x"]) mkdirSync(join(tree, name), { recursive: true });
      for (const mode of tested.folders)
        if (mode === "merged-host") mkdirSync(join(tree, "p", mode));
        else makeFolder(join(tree, "p", mode), "package");
      for (const place of ["p/twice", "p/twice/deep"]) makeFolder(join(tree, place), "package");
      for (const above of ["r", "x", "p"]) writeFileSync(join(tree, above, "beside"), `in ${above}`);
      for (const mode of ["read-only", "hide"]) {
        mkdirSync(join(tree, "r", mode));
        writeFileSync(join(tree, "r", mode, "open-read-libc"), "covered");
      }
      for (const mode of tested.files)
        for (const name of names(mode)) {
          if (mode !== "merged") writeFileSync(join(tree, "p/x", name), "package");
          if (mode === "full" || mode === "hide") writeFileSync(join(tree, "x", name), "covered");
        }
      symlinkSync("r", join(tree, "linked"));
    }

    const isOfHost = (mode: FolderMode): boolean => mode === "host" || mode.startsWith("merged");
    const folderAt = (mode: FolderMode): string =>
      isOfHost(mode) ? join(host, `folder-${mode}`) : `/r/${mode}`;
    const fileAt = (mode: FileMode): string => (mode.startsWith("merged") ? join(host, mode) : `/x/${mode}`);

    function rules(): FileRedirection[] {
      const folders = tested.folders.map((mode) => {
        // A rule is for a place, also where it is written by a link.
        const from = mode === "full" ? "/linked/full" : folderAt(mode);
        const given = mode === "host" ? "write-copy" : mode === "merged-host" ? "merged" : mode;
        return rule(from, `/p/${mode}`, "folder", given);
      });
      const files = tested.files.flatMap((mode) =>
        names(mode).map((name) => {
          const from = mode.startsWith("merged") ? join(host, name) : `/x/${name}`;
          return rule(from, `/p/x/${name}`, "exact", mode === "merged-own" ? "merged" : mode);
        }),
      );
      const twice = ["/r/twice", "/x/again"].map((from) => rule(from, "/p/twice", "folder", "full"));
      const within = rule("/r/within", "/p/twice/deep", "folder", "full");
      return [...folders, ...files, ...twice, within, rule("/r/write-copy/gone", "/", "exact", "hide")];
    }

    function script(): string {
      const of = (cells: Expected[], mark: string): string =>
        cells.map(({ operation }) => mark + operation).join(" ");
      const lines = [
        ...tested.folders.map(
          (mode) =>
            `echo "== folder ${mode}"; mkdir /out/f-${mode}; calls ${folderAt(mode)} /out/f-${mode} ${of(folderCells(mode, engine.name), "")}`,
        ),
        ...tested.files.map(
          (mode) =>
            `echo "== file ${mode}"; mkdir /out/x-${mode}; calls ${fileAt(mode)} /out/x-${mode} ${of(fileCells(mode, engine.name), "=")}`,
        ),
      ];
      const places = ["/r/twice", "/x/again", "/p/twice", "/x/again/deep", "/r/within"].map(
        (
          path,
          i,
        ) => `echo "== place ${path}"; mkdir /out/p-${i}; calls ${path} /out/p-${i} ${namings.join(" ")}
          (cd ${path}; echo "beside: $(cat ${path.endsWith("deep") ? "../" : ""}../beside)")`,
      );
      return ["set -e", ...lines, ...places].join("\n");
    }

    function hold(what: string, cells: Expected[]): void {
      const got = answers.get(what) ?? new Map<string, string>();
      const wrong = cells.flatMap(({ operation, answer }) =>
        kinds.flatMap((kind) => {
          const found = got.get(`${operation} ${kind}`);
          return found === answer ? [] : [`${operation} ${kind}: ${found}, not ${answer}`];
        }),
      );
      assert.deepEqual(wrong, []);
      assert.equal(got.size, kinds.length * cells.length);
    }

    for (const mode of tested.folders)
      it(`a folder, ${mode}`, () => hold(`folder ${mode}`, folderCells(mode, engine.name)));
    for (const mode of tested.files)
      it(`a file, ${mode}`, () => hold(`file ${mode}`, fileCells(mode, engine.name)));

    for (const [path, above] of [
      ["/r/twice", "r"],
      ["/x/again", "x"],
      ["/p/twice", "p"],
      ["/x/again/deep", "x"],
      ["/r/within", "r"],
    ])
      it(`the place of several rules has the name by which one came: ${path}`, () => {
        const got = answers.get(`place ${path}`);
        assert.equal(got?.get("beside"), `in ${above}`);
        got?.delete("beside");
        hold(
          `place ${path}`,
          folderCells("full", engine.name).filter(({ operation }) =>
            namings.some((one) => one === operation),
          ),
        );
      });

    it("of the host only merged files are changed", () => {
      for (const kind of kinds) {
        assert.equal(readFileSync(join(host, `folder-host/host-${kind}`), "utf8"), "host");
        assert.equal(readFileSync(join(host, `folder-host/open-write-${kind}`), "utf8"), "host");
        assert.equal(readFileSync(join(host, `merged-own-open-read-${kind}`), "utf8"), "host");
        assert.equal(readFileSync(join(host, `merged-append-${kind}`), "utf8"), "hostnew");
        if (engine.name === "namespace") continue;
        const folder = folderAt("merged");
        assert.equal(readFileSync(join(folder, `open-write-${kind}`), "utf8"), "new");
        assert.equal(readFileSync(join(folder, `unlink-${kind}`), "utf8"), "host");
        assert.ok(existsSync(join(folder, `mkdir-${kind}.made`)));
      }
    });
  });
}
