// Where the native programs of this installation are.
import { accessSync, constants } from "node:fs";
import { join, resolve } from "node:path";
import { TranshipError } from "../base/errors.ts";

/** The root of the checkout or of the installed npm package: the directory that holds native/ and bin/. */
export const installRoot = findInstallRoot();

function findInstallRoot(): string {
  // src/host/native.ts in a checkout, dist/*.js where installed.
  const here = import.meta.dirname;
  return resolve(here, here.includes("/src/") || here.endsWith("/src") ? "../.." : "..");
}

export type NativeProgram =
  | "tree"
  | "trace"
  | "witness"
  | "enter"
  | "init"
  | "supervise"
  | "proxy"
  | "refusals"
  | "pause"
  | "breaches"
  | "rootless"
  | "engine";

/** Absolute path of a native program; E_NATIVE_MISSING where it was not built. */
export function nativePath(name: NativeProgram): string {
  const path = join(process.env.TRANSHIP_NATIVE ?? join(installRoot, "native/bin"), name);
  try {
    accessSync(path, constants.X_OK);
  } catch (cause) {
    throw new TranshipError("E_NATIVE_MISSING", `the native program ${name} is not at ${path}`, {
      hint: "run scripts/setup in the checkout, or `make -C native`",
      cause,
    });
  }
  return path;
}
