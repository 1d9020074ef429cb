// Rules into a seccomp filter for x86: what the kernel executes before each call, so that no OCI runtime has to compile a list of 400
// names at each start. A binary search over ranges of numbers that have the same answer; only plain loads, comparisons and returns before
// an argument is looked at, so that the kernel knows beforehand which calls are always allowed, and these then cost nothing. Pure.
import { TranshipError } from "../../base/errors.ts";
import { type Abi, callNumbers, lastKnownCall } from "../../formats/syscall-numbers.ts";
import type { CallRules, Condition } from "./seccomp.ts";

// linux/bpf_common.h, linux/filter.h
const load = 0x20;
const jumpEqual = 0x15;
const jumpAtLeast = 0x35;
const jump = 0x05;
const answer = 0x06;
const and = 0x54;

// linux/seccomp.h: data has nr, arch, instruction pointer, arguments of 8 bytes
const offsetNumber = 0;
const offsetArchitecture = 4;
const offsetArgument = 16;
const allow = 0x7fff_0000;
const notify = 0x7fc0_0000;
const errno = 0x0005_0000;
const notPermitted = 1;
const notImplemented = 38;

const amd64 = 0xc000_003e;
const i386 = 0x4000_0003;
const x32Bit = 0x4000_0000;
/** What a tracer that skips a call leaves as its number. */
const skipped = 0xffff_ffff;

interface Instruction {
  code: number;
  yes: number;
  no: number;
  k: number;
}

/** What becomes of a call: a number that the kernel is told, or a look at argument 0. */
type Leaf = number | Condition;

/** `told`: refusals go to the supervisor, which answers for them; else they are refused at once. */
export function seccompFilter(rules: CallRules, told: boolean): Uint8Array {
  const refuse = told ? notify : errno | notPermitted;
  const old = tree(rangesOf(rules, "i386", refuse), refuse);
  const modern = tree(rangesOf(rules, "amd64", refuse), refuse);
  const numbered = [
    statement(load, offsetNumber),
    branch(jumpEqual, skipped, 0, 1),
    statement(answer, allow),
    branch(jumpAtLeast, x32Bit, 0, 1),
    statement(answer, refuse),
    ...modern,
  ];
  return encode([
    statement(load, offsetArchitecture),
    branch(jumpEqual, amd64, 0, 1),
    statement(jump, old.length + 5),
    branch(jumpEqual, i386, 1, 0),
    statement(answer, refuse),
    statement(load, offsetNumber),
    branch(jumpEqual, skipped, 0, 1),
    statement(answer, allow),
    ...old,
    ...numbered,
  ]);
}

interface Range {
  from: number;
  leaf: Leaf;
}

/** The last one goes on without end. */
function rangesOf(rules: CallRules, abi: Abi, refuse: number): Range[] {
  const names = new Map([...callNumbers(abi)].map(([name, number]) => [number, name]));
  const ranges: Range[] = [];
  for (let number = 0; number <= lastKnownCall + 1; number++) {
    const leaf = leafOf(rules, names.get(number), number, refuse);
    if (ranges.length > 0 && ranges.at(-1)?.leaf === leaf) continue;
    ranges.push({ from: number, leaf });
  }
  return ranges;
}

function leafOf(rules: CallRules, name: string | undefined, number: number, refuse: number): Leaf {
  if (name === undefined) return number > lastKnownCall ? errno | notImplemented : refuse;
  if (rules.allowed.has(name)) return allow;
  const answered = rules.errno.get(name);
  if (answered !== undefined) return errno | answered;
  return rules.conditional.get(name) ?? refuse;
}

function tree(ranges: readonly Range[], refuse: number): Instruction[] {
  const [first] = ranges;
  if (first === undefined) return [];
  if (ranges.length === 1) return leaf(first.leaf, refuse);
  const half = ranges.length >> 1;
  const below = tree(ranges.slice(0, half), refuse);
  const above = tree(ranges.slice(half), refuse);
  const at = ranges[half]?.from ?? 0;
  // A conditional jump reaches 255 instructions.
  if (below.length <= 255) return [branch(jumpAtLeast, at, below.length, 0), ...below, ...above];
  return [branch(jumpAtLeast, at, 0, 1), statement(jump, below.length), ...below, ...above];
}

function leaf(what: Leaf, refuse: number): Instruction[] {
  if (typeof what === "number") return [statement(answer, what)];
  const argument = statement(load, offsetArgument);
  const ends = [statement(answer, allow), statement(answer, refuse)];
  switch (what.kind) {
    case "masked-zero":
      return [argument, statement(and, what.value), branch(jumpEqual, 0, 0, 1), ...ends];
    case "not":
      return [argument, branch(jumpEqual, what.value, 1, 0), ...ends];
    default:
      return [
        argument,
        branch(jumpEqual, 0xffff_ffff, 2, 0),
        statement(and, ~what.value >>> 0),
        branch(jumpEqual, 0, 0, 1),
        ...ends,
      ];
  }
}

function statement(code: number, k: number): Instruction {
  return { code, yes: 0, no: 0, k };
}

function branch(code: number, k: number, yes: number, no: number): Instruction {
  return { code, yes, no, k };
}

/** BPF_MAXINSNS of the kernel. */
const longest = 4096;

function encode(program: readonly Instruction[]): Uint8Array {
  if (program.length > longest) {
    throw new TranshipError("E_INTERNAL", `a seccomp filter of ${program.length} instructions`);
  }
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  program.forEach(({ code, yes, no, k }, index) => {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 2, yes);
    view.setUint8(index * 8 + 3, no);
    view.setUint32(index * 8 + 4, k, true);
  });
  return bytes;
}
