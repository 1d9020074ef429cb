// Whether this kernel has Landlock, by which it holds an instance in process.
import { TranshipError } from "../../base/errors.ts";
import { nativePath } from "../../host/native.ts";
import { run } from "../../host/process.ts";

/** Its version; 0: it has none. */
export async function landlockAbi(): Promise<number> {
  const { status, stdout } = await run(nativePath("supervise"), ["--landlock-abi"]);
  return status === 0 ? Number(new TextDecoder().decode(stdout)) : 0;
}

/** E_USAGE where it has none: what was asked for would not be so. */
export async function checkLandlock(): Promise<void> {
  if ((await landlockAbi()) > 0) return;
  throw new TranshipError(
    "E_USAGE",
    "--confine: this kernel has no Landlock, so nothing would hold the instance",
    {
      hint: "Linux 5.13 has it, with landlock among the security modules (lsm= at boot); else leave --confine out, or run it with --engine namespace",
    },
  );
}
