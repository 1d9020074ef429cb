import { TranshipError } from "../../base/errors.ts";

export function unreachable(message: string, hint: string): TranshipError {
  return new TranshipError("E_MACHINE_UNREACHABLE", message, { hint });
}
