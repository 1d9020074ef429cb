// What a tracer asks while a program waits, and what it is answered: docs/internals/records.md, section 5.
import { TranshipError } from "../base/errors.ts";
import type { ByteString } from "./entry.ts";
import { FieldReader } from "./fields.ts";
import { encodeFrame, type Frame } from "./frames.ts";
import { type PathOperation, pathOperations } from "./trace-records.ts";

export const askMagic: ByteString = "TRASK\0\0\x01";

const questionFrame = 1;
const answerFrame = 2;

/**
 * absent: a call failed for want of a path. exec: a program, or what runs it, is not there. makes: a call is about to make a file.
 * lists: a directory was opened. gone: a path was taken away; wants no answer.
 */
export const questionKinds = ["absent", "exec", "makes", "lists", "gone"] as const;
export type QuestionKind = (typeof questionKinds)[number];

export interface Question {
  readonly id: number;
  readonly kind: QuestionKind;
  /** undefined for an exec. */
  readonly operation: PathOperation | undefined;
  /** The last component is not followed. */
  readonly noFollow: boolean;
  /** The thread that waits, and PID 1 of its instance, as the tracer numbers them. */
  readonly pid: number;
  readonly init: number;
  /** The thread's own root as its mount namespace has it; "" where it is that of the namespace. */
  readonly root: ByteString;
  /** As in PATH records. */
  readonly path: ByteString;
  readonly second: ByteString;
}

/** no: for now. again: it is there, the call is made again. never: no, and the same need not be asked again. */
export type AskAnswer = "no" | "again" | "never";
const answers: readonly AskAnswer[] = ["no", "again", "never"];

export function decodeQuestion({ type, id, payload }: Frame): Question {
  if (type !== questionFrame) throw new TranshipError("E_PROTOCOL", `a frame of type ${type} is no question`);
  const r = new FieldReader(payload);
  const kind = questionKinds[r.u8() - 1];
  const operation = r.u8();
  const flags = r.u8();
  if (kind === undefined) throw new TranshipError("E_PROTOCOL", "a question of an unknown kind");
  const question = {
    id,
    kind,
    operation: operation === 0 ? undefined : pathOperations[operation - 1],
    noFollow: (flags & 1) !== 0,
    pid: r.u32(),
    init: r.u32(),
    root: r.bytes16(),
    path: r.bytes16(),
    second: r.bytes16(),
  };
  r.end();
  return question;
}

export function encodeAnswer(id: number, answer: AskAnswer): Uint8Array<ArrayBuffer> {
  return encodeFrame({ type: answerFrame, id, payload: Uint8Array.of(answers.indexOf(answer)) });
}
