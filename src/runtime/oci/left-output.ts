// What crun leaves of a terminal's output in its log. Pure.
//
// Theory. When the command of `crun exec` with a terminal has ended before crun has copied its last words, crun writes those into its log:
// as they are, up to 255 bytes at a time, each piece with a newline behind it (flush_fd_to_err, in every version so far). Its own words
// are JSON there. So a quick command's output is lost, and looks like an error of crun's, unless it is taken from the log.

export interface LoggedOutput {
  /** The runtime's own words, the last of them. */
  words: string | undefined;
  /** Of the command; for a terminal whose output is processed: without the carriage returns before newlines. */
  output: string;
}

const piece = 255;
const newline = 10;
const carriageReturn = 13;

/** `log`: the whole log of an exec with a terminal, in the JSON format. */
export function splitLog(log: Buffer): LoggedOutput {
  let words: string | undefined;
  let rest = log;
  const pieces: Buffer[] = [];
  while (rest.length > 0) {
    const line = rest.indexOf(newline);
    const said = line < 0 ? undefined : ownWords(rest.subarray(0, line).toString());
    const end = said === undefined ? endOfPiece(rest) : line;
    if (said === undefined) pieces.push(rest.subarray(0, end));
    else words = said;
    rest = rest.subarray(end + 1);
  }
  return { words, output: Buffer.concat(pieces).toString("latin1").replaceAll("\r\n", "\n") };
}

/** A whole piece, or one up to a newline that no terminal wrote, or what there is. */
function endOfPiece(rest: Buffer): number {
  if (rest.length > piece + 1 && rest[piece] === newline) return piece;
  const most = Math.min(rest.length, piece + 1);
  for (let at = 0; at < most; at++) if (rest[at] === newline && rest[at - 1] !== carriageReturn) return at;
  return rest.length <= piece + 1 && rest.at(-1) === newline ? rest.length - 1 : most;
}

function ownWords(line: string): string | undefined {
  try {
    const { msg, level, time } = JSON.parse(line) as Record<string, unknown>;
    return typeof msg === "string" && typeof level === "string" && typeof time === "string" ? msg : undefined;
  } catch {
    return undefined;
  }
}
