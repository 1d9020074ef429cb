// Whether a descriptor is a terminal, asked without loading Node's terminals and sockets where the answer is plainly no.
import { fstatSync } from "node:fs";

/** Major number of /dev/null and its like. */
const memoryDevices = 1;

export function isTerminal(fd: number): boolean {
  try {
    const stat = fstatSync(fd);
    if (!stat.isCharacterDevice() || stat.rdev >> 8 === memoryDevices) return false;
  } catch {
    return false; // closed
  }
  return process.getBuiltinModule("node:tty").isatty(fd);
}
