// The files of an EMP folder as one value, and a changed value back into the files: those that do not change keep their bytes.
import { TranshipError } from "../../base/errors.ts";
import { decodeTextFile, type EncodedText, encodeTextFile } from "./encoding.ts";
import {
  type EmpFolder,
  metadataNames,
  reportNames,
  type XmlFileName,
  type XmlFileSpec,
  xmlFiles,
} from "./files.ts";
import { printMetadata, printReport, readMetadata, readReport, writeMetadata } from "./json.ts";
import { type Plain, readPlain } from "./shape.ts";
import { printShape, sameValue, writeShape } from "./shape-write.ts";
import { parseXml } from "./xml.ts";
import { localName } from "./xml-text.ts";
import { rootOf, type XmlDocument } from "./xml-tree.ts";

/** Bytes of files by the names that they have in the folder. */
export type EmpFiles = ReadonlyMap<string, Uint8Array>;

/** The name of the folder's file that is one of these; regard to case as Windows has it. E_EMP_INVALID where two are. */
export function findName(present: Iterable<string>, names: readonly string[]): string | undefined {
  const all = [...present];
  for (const name of names) {
    const found = all.filter((one) => one.toLowerCase() === name.toLowerCase());
    if (found.length > 1)
      throw new TranshipError(
        "E_EMP_INVALID",
        `the folder has ${found.join(" and ")}, which are one name for EMP`,
        {
          hint: "remove one of them",
        },
      );
    if (found[0] !== undefined) return found[0];
  }
  return undefined;
}

/** E_EMP_INVALID with file, line and column; E_LIMIT. */
export function readFolder(files: EmpFiles): EmpFolder {
  const folder: Record<string, unknown> = {};
  for (const name of Object.keys(xmlFiles) as XmlFileName[]) {
    const found = openXml(files, name);
    if (found !== undefined) folder[name] = readPlain(rootOf(found.document), specOf(name).fields);
  }
  const metadata = openText(files, metadataNames);
  if (metadata !== undefined) folder.metadata = readMetadata(metadata.text, metadata.name);
  const report = openText(files, reportNames);
  if (report !== undefined) folder.report = readReport(report.text, report.name);
  return folder as EmpFolder;
}

/**
 * The files with this value: only those that differ from `before`, by name. What is undefined in `folder` is left as it is; a report
 * that is there stays, too.
 */
export function writeFolder(before: EmpFiles, folder: EmpFolder): Map<string, Uint8Array> {
  const written = new Map<string, Uint8Array>();
  for (const name of Object.keys(xmlFiles) as XmlFileName[]) {
    const value = folder[name] as Plain | undefined;
    if (value === undefined) continue;
    const spec = specOf(name);
    const found = openXml(before, name);
    if (found === undefined)
      written.set(
        spec.names[0],
        encodeTextFile({ encoding: "utf-8", text: printShape(spec.root, spec.fields, value) }),
      );
    else if (!sameValue(readPlain(rootOf(found.document), spec.fields), value))
      written.set(
        found.name,
        encodeTextFile({ ...found, text: writeShape(found.document, spec.fields, value) }),
      );
  }
  const { metadata, report } = folder;
  if (metadata !== undefined) {
    const found = openText(before, metadataNames);
    const text =
      found === undefined ? printMetadata(metadata) : writeMetadata(found.text, found.name, metadata);
    if (text !== found?.text)
      written.set(
        found?.name ?? metadataNames[0],
        encodeTextFile({ encoding: found?.encoding ?? "utf-8", text }),
      );
  }
  if (report !== undefined && openText(before, reportNames) === undefined)
    written.set(reportNames[0], encodeTextFile({ encoding: "utf-8", text: printReport(report) }));
  return written;
}

interface OpenText extends EncodedText {
  name: string;
}

function openText(files: EmpFiles, names: readonly string[]): OpenText | undefined {
  const name = findName(files.keys(), names);
  const bytes = name === undefined ? undefined : files.get(name);
  if (name === undefined || bytes === undefined) return undefined;
  return { name, ...decodeTextFile(bytes, name) };
}

export function openXml(
  files: EmpFiles,
  file: XmlFileName,
): (OpenText & { document: XmlDocument }) | undefined {
  const spec = specOf(file);
  const found = openText(files, spec.names);
  if (found === undefined) return undefined;
  const fragment = spec.anyRoot === true;
  const document = parseXml(found.text, { name: found.name, fragment });
  const root = localName(rootOf(document).name);
  if (!fragment && root.toLowerCase() !== spec.root.toLowerCase())
    throw new TranshipError(
      "E_EMP_INVALID",
      `${found.name} begins with <${root}> where <${spec.root}> should be`,
      {
        hint: "is it another file under this name?",
      },
    );
  return { ...found, document };
}

function specOf(name: XmlFileName): XmlFileSpec {
  return xmlFiles[name];
}
