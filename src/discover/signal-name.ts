// Names of signals in the files of service managers.
import type { ByteString } from "../formats/entry.ts";

/** "QUIT", "-QUIT", "3", "SIGQUIT" or a kill command line. */
export function signalName(text: ByteString): string | undefined {
  const numbers: Record<string, string> = {
    "1": "HUP",
    "2": "INT",
    "3": "QUIT",
    "9": "KILL",
    "10": "USR1",
    "12": "USR2",
    "15": "TERM",
    "28": "WINCH",
  };
  const match =
    /(?:^|\s)(?:-s\s+|-)?(?:SIG)?(HUP|INT|QUIT|KILL|USR1|USR2|TERM|WINCH|1|2|3|9|10|12|15|28)(?=\s|$)/.exec(
      text,
    );
  return match?.[1] === undefined ? undefined : `SIG${numbers[match[1]] ?? match[1]}`;
}
