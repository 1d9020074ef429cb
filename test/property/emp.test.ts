// Files of EMP folders: what is printed is read as it was; whatever spacing, comments and line ends a file has survive byte for byte;
// a change is read as it was meant.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type EmpFolder, type XmlFileName, xmlFiles } from "../../src/formats/emp/files.ts";
import { readFolder, writeFolder } from "../../src/formats/emp/folder.ts";
import { joinArguments, splitArguments } from "../../src/formats/emp/run-conditions.ts";
import type { Field, Fields, Plain, TextField } from "../../src/formats/emp/shape.ts";
import { soaking } from "../support/counts.ts";
import { empFiles, empTexts } from "../support/emp.ts";

const runs = soaking ? 5000 : 150;

/** Any text that XML can hold. */
const anyText = fc
  .oneof(fc.string({ unit: "grapheme", maxLength: 12 }), fc.stringMatching(/^[ \t\n\r&<>"'\]a-c]{0,12}$/))
  .map((text) => text.replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, ""));

function isText(field: Field | undefined): field is TextField {
  return field?.kind === "text";
}

/** Whether the element of this field is there as soon as another of the fields is. */
function forced(field: TextField, name: string, fields: Fields, value: Plain): boolean {
  if (field.paths.some((path) => path.includes("."))) return true;
  return Object.entries(fields).some(
    ([other, one]) =>
      other !== name &&
      isText(one) &&
      value[other] !== undefined &&
      field.paths[0]?.every((step, i) => one.paths[0]?.[i] === step),
  );
}

function anyValue(fields: Fields): fc.Arbitrary<Plain> {
  const parts = Object.entries(fields).map(([name, field]) => {
    const one: fc.Arbitrary<Plain[string]> =
      field.kind === "list"
        ? fc.array(anyValue(field.fields), { maxLength: 4 })
        : field.kind === "name"
          ? fc.constantFrom(...field.names)
          : fc.option(
              anyText.map((text) => (field.trim ? text.trim() : text)),
              { nil: undefined },
            );
    return one.map((value) => [name, value] as const);
  });
  return fc.tuple(...parts).map((entries) => {
    const value: Plain = {};
    for (const [name, one] of entries) if (one !== undefined) value[name] = one;
    for (const [name, field] of Object.entries(fields))
      if (isText(field) && value[name] === undefined && forced(field, name, fields, value)) value[name] = "";
    return value;
  });
}

const folders = fc
  .record(
    Object.fromEntries(
      (Object.keys(xmlFiles) as XmlFileName[]).map((name) => [name, anyValue(xmlFiles[name].fields)]),
    ),
    { requiredKeys: [] },
  )
  .map((value): EmpFolder => ({ ...value }));

test("what is printed is read as it was", () => {
  fc.assert(
    fc.property(folders, (folder) => {
      assert.deepEqual(readFolder(writeFolder(new Map(), folder)), folder);
    }),
    { numRuns: runs },
  );
});

const noise = fc.constantFrom("", "", "", " ", "\n", "\t ", "\r\n  ", "<!-- c -->", "<!--\n-->\n", "<?x y?>");

/** Spacing and comments between tags, blanks in tags, other quotes. */
function disturbed(text: string, choices: readonly string[], crlf: boolean): string {
  let next = 0;
  const choice = (): string => choices[next++ % choices.length] ?? "";
  // What stands in comments is left alone.
  const loose = text
    .split(/(<!--[\s\S]*?-->|<\?[\s\S]*?\?>)/)
    .map((part, i) =>
      i % 2 === 1
        ? part
        : part
            .replace(/>(?=\s*<)/g, () => `>${choice()}`)
            .replace(/<(\w+)(?=[ />])/g, (tag) => tag + choice().replace(/<[^>]*>/g, " "))
            .replace(/="([^"'<>]*)"/g, (whole, value: string) =>
              choice() === "\n" ? `\n=\t'${value}'` : whole,
            ),
    )
    .join("");
  return crlf ? loose.replace(/\r?\n/g, "\r\n") : loose;
}

test("spacing, comments and line ends survive, and a change is read as it was meant", () => {
  const xml = Object.entries(empTexts).filter(([, text]) => text.includes("<"));
  fc.assert(
    fc.property(
      fc.array(noise, { minLength: 40, maxLength: 90 }),
      fc.boolean(),
      folders,
      (choices, crlf, wanted) => {
        const texts = Object.fromEntries(xml.map(([name, text]) => [name, disturbed(text, choices, crlf)]));
        const files = empFiles(texts);
        const folder = readFolder(files);
        assert.equal(writeFolder(files, folder).size, 0);
        const written = writeFolder(files, wanted);
        const changed = new Map([...files, ...written]);
        assert.deepEqual(readFolder(changed), { ...folder, ...wanted });
        const back = readFolder(new Map([...changed, ...writeFolder(changed, folder)]));
        assert.deepEqual(back, { ...wanted, ...folder });
      },
    ),
    { numRuns: runs },
  );
});

test("one changed value leaves all other bytes", () => {
  fc.assert(
    fc.property(
      fc.array(noise, { minLength: 40, maxLength: 90 }),
      fc.boolean(),
      anyText,
      (choices, crlf, name) => {
        const text = disturbed(empTexts["Services.xml"] ?? "", choices, crlf);
        const files = empFiles({ "Services.xml": text });
        const folder = readFolder(files);
        const [service] = folder.services?.services ?? [];
        assert.ok(service);
        service.displayName = `${name.trim()}x`;
        const now = Buffer.from(writeFolder(files, folder).get("Services.xml") ?? []).toString();
        const at = text.indexOf(">Acme<") + 1;
        assert.equal(now.slice(0, at), text.slice(0, at));
        assert.equal(now.slice(now.length - (text.length - at - 4)), text.slice(at + 4));
      },
    ),
    { numRuns: runs },
  );
});

test("words of a command line are joined and split again", () => {
  const word = fc.oneof(fc.string(), fc.stringMatching(/^[\\" a]{0,8}$/));
  fc.assert(
    fc.property(fc.array(word), (words) => {
      assert.deepEqual(splitArguments(joinArguments(words)), words);
    }),
    { numRuns: runs },
  );
});
