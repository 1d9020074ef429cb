// MACHINE as people write it: whether it can be one at all, and what was meant where not.
import { TranshipError } from "../base/errors.ts";

const usable = ["local", "rootfs", "ssh", "disk", "oci"];
const worksNow =
  "use local: for this host, rootfs:DIR for an unpacked or mounted root file system, ssh://[user@]host[:port], disk:FILE or oci:REF";

/** E_MACHINE_UNKNOWN where no machine can have this address; nothing is opened. */
export function checkAddress(address: string): void {
  const colon = address.indexOf(":");
  const kind = colon < 0 ? address : address.slice(0, colon);
  const rest = colon < 0 ? "" : address.slice(colon + 1);
  if (address === "" || (kind === "local" && rest === "")) return;
  if (kind !== "local" && colon >= 0 && usable.includes(kind)) return;
  throw unknownMachine(address, kind, rest);
}

/** E_MACHINE_UNKNOWN, with what was probably meant. */
export function unknownMachine(address: string, kind: string, rest: string): TranshipError {
  if (kind === "local") {
    return new TranshipError("E_MACHINE_UNKNOWN", `local: takes nothing after the colon: ${address}`, {
      hint: worksNow,
    });
  }
  const hint =
    address.startsWith("/") || address.startsWith(".")
      ? `did you mean rootfs:${address}?`
      : guess(kind, rest);
  return new TranshipError("E_MACHINE_UNKNOWN", `unknown machine: ${address}`, { hint: hint ?? worksNow });
}

function guess(kind: string, rest: string): string | undefined {
  const near = usable.filter((name) => distance(kind, name) <= 2);
  near.sort((a, b) => distance(kind, a) - distance(kind, b));
  return near[0] === undefined ? undefined : `did you mean ${near[0]}:${rest}?`;
}
/** Edits from a to b; a is cut at 16 characters. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, char] of [...a.slice(0, 16)].entries()) {
    const next = [i + 1];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (char === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
