// Takes the blocks of paths out of a plan's text before YAML sees it: a plan of a whole machine has hundreds of thousands of lines, and
// each of them as a node, a token and a piece of text would need ten times the memory that the paths do.
import type { ByteString } from "../../formats/entry.ts";
import { unescapeBytes } from "../../formats/escape.ts";

export interface PlanText {
  /** The text with a marker in the place of each block. */
  text: string;
  /** Paths of each block, by the number in its marker. */
  blocks: ByteString[][];
  /** Lines of blocks that are no absolute path, first ones only. */
  problems: { line: number; text: string }[];
  /** The line in the file of a line of `text`. */
  lineOf(line: number): number;
}

/** As plan-file.ts prints it. What a person wrote otherwise stays, and YAML reads it. */
const header = /^ {4}files: \|[ \t]*$/;
const indent = "      ";
const maxProblems = 10;
const newline = 0x0a;

export function takeBlocks(bytes: Buffer): PlanText {
  const kept: string[] = [];
  const blocks: ByteString[][] = [];
  const problems: PlanText["problems"] = [];
  /** Line of `text` behind which lines were taken out, and how many in all by then. */
  const taken: { line: number; count: number }[] = [];
  let block: ByteString[] | undefined;
  let line = 0;
  for (let at = 0; at < bytes.length; ) {
    const found = bytes.indexOf(newline, at);
    const end = found < 0 ? bytes.length : found;
    line++;
    if (block !== undefined) {
      const from = firstBeyondBlanks(bytes, at, end);
      if (from - at >= indent.length || from === end) {
        addPath(block, bytes.subarray(from, end), { line, problems });
        at = end + 1;
        continue;
      }
      taken.push({ line: kept.length, count: line - 1 - kept.length });
      block = undefined;
    }
    const text = bytes.toString("utf8", at, end);
    at = end + 1;
    if (header.test(text) && bytes.toString("latin1", at, at + indent.length) === indent) {
      kept.push(`    files: ["${marker.replace("\u0001", "\\x01")}${blocks.length}"]`);
      block = [];
      blocks.push(block);
    } else kept.push(text);
  }
  const lineOf = (one: number): number => one + (taken.findLast((place) => place.line < one)?.count ?? 0);
  return { text: kept.join("\n"), blocks, problems, lineOf };
}

const marker = "/\u0001";

function firstBeyondBlanks(bytes: Buffer, at: number, end: number): number {
  let from = at;
  while (from < end && bytes[from] === 0x20) from++;
  return from;
}

function addPath(
  block: ByteString[],
  bytes: Buffer,
  { line, problems }: { line: number; problems: PlanText["problems"] },
): void {
  // The bytes of UTF-8 text are the byte string itself, but for what was escaped.
  const path = bytes.toString("latin1", 0, bytes.at(-1) === 0x0d ? bytes.length - 1 : bytes.length);
  if (path === "" || path.startsWith("#")) return;
  if (path.startsWith("/"))
    block.push(path.includes("\\") ? unescapeBytes(bytes.toString("utf8", 0, path.length)) : path);
  else if (problems.length < maxProblems)
    problems.push({ line, text: bytes.toString("utf8").trim().slice(0, 200) });
}

/** The paths behind a marker; undefined where the list is a person's own. */
export function blockOf(files: readonly string[], blocks: readonly ByteString[][]): ByteString[] | undefined {
  const [first = ""] = files;
  return files.length === 1 && first.startsWith(marker)
    ? blocks[Number(first.slice(marker.length))]
    : undefined;
}
