// The script that runs the tracer on the far machine. It is pushed as a file and read by the machine's own sh, of whatever age.
//
// Its input are lines: "alive" every few seconds, or a number: a signal for the tracer, which hands it on. The tracer is stopped when the
// input ends, and when nothing has come for a minute: a link that broke without a word must not leave an application running there that
// nobody watches. 20 seconds after TERM comes KILL, and with the tracer everything ends that it traces.
import type { ByteString } from "../../formats/entry.ts";
import { shellWord } from "../../formats/shell-words.ts";

/** How often "alive" has to come; milliseconds. */
export const aliveEvery = 10_000;

export interface InPlaceCall {
  /** Printed before the status: a text that nothing else prints. */
  mark: ByteString;
  /** trace with its arguments, but --fd; `$d` is the directory that the script was given. */
  tracer: readonly ByteString[];
  /** The command, with `$d` as in `tracer`. */
  command: readonly ByteString[];
  environment: Readonly<Record<string, ByteString>>;
}

/** Called with its own directory. Records on its output, everything else and at last a line MARK-status=N on its errors. */
export function inPlaceScript({ mark, tracer, command, environment }: InPlaceCall): ByteString {
  const words = (list: readonly ByteString[]): string =>
    list
      .map((word) => (word.startsWith("$d/") ? `"$d"/${shellWord(word.slice(3))}` : shellWord(word)))
      .join(" ");
  const variables = Object.entries(environment).map(([name, value]) => shellWord(`${name}=${value}`));
  return `d=$1
cd /
exec 3>&1 1>&2 4<&0 </dev/null
trap "" 1 13
end() { kill -15 $p; nap 20; kill -9 $p; }
nap() { sleep $1 & z=$!; wait $z; }
echo >"$d/alive"
env -i ${variables.join(" ")} ${words(tracer)} --fd 3 --kill-on-exit -- ${words(command)} 4<&- &
p=$!
( exec 3>&- >/dev/null 2>&1
  while read w <&4; do
    case $w in
    alive) echo >"$d/alive" ;;
    *) kill -$w $p ;;
    esac
  done
  trap 'kill $z; exit' 15
  end ) &
r=$!
( exec 3>&- 4<&- >/dev/null 2>&1
  trap 'kill $z; exit' 15
  while nap 60; do
    [ -f "$d/alive" ] || { kill $r; end; }
    rm -f "$d/alive"
  done ) &
s=$!
exec 3>&- 4<&-
wait $p
c=$?
kill $r $s
echo "${mark}-status=$c" >&2
`;
}
