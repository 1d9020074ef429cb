// What native/refusals wrote down, as values.
import { callName } from "../formats/syscall-numbers.ts";
import { readText } from "../host/files.ts";
import type { Instance } from "./find.ts";

export interface RefusedCall {
  time: string;
  instance: string;
  /** As the host numbers it. */
  pid: number;
  /** The program, as its own root shows it; "" where it had ended. */
  exe: string;
  syscall: string;
  abi: string;
  /** Hexadecimal. */
  arguments: string[];
  /** The how manieth time that this program made this call; not every time is told. */
  count: number;
}

/** Oldest first. A line that was cut (a full disk) is left out. */
export function refusedCalls({ paths, record }: Instance): RefusedCall[] {
  return (readText(paths.refused) ?? "").split("\n").flatMap((line) => {
    try {
      const {
        time,
        pid,
        exe,
        abi,
        number,
        arguments: words,
        count,
      } = JSON.parse(line) as Record<string, unknown>;
      const syscall = abi === "amd64" || abi === "i386" ? callName(abi, Number(number)) : String(number);
      return [
        {
          time: String(time),
          instance: record.name,
          pid: Number(pid),
          exe: String(exe),
          syscall,
          abi: String(abi),
          arguments: (words as unknown[]).map(String),
          count: Number(count),
        },
      ];
    } catch {
      return [];
    }
  });
}
