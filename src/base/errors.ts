// The one error type of the product and the table of its codes.
// Findings, missing files and validation problems are return values; this is for what a caller cannot expect.

/** Every code, with the sentence that `tranship explain CODE` opens with. docs/reference/errors.md is made from it. */
export const errorCodes = {
  E_USAGE: "The command line does not say what to do: an unknown word, a missing or a contradicting flag.",
  E_INTERNAL: "Tranship broke one of its own rules. Please report it with `tranship support-bundle`.",
  E_INTERRUPTED: "The command was stopped by a signal; what it had begun was undone.",
  E_NEEDS_ROOT: "The operation needs root or a capability that this process does not have.",
  E_TOOL_MISSING: "A program that Tranship drives is not installed on this host.",
  E_TOOL_FAILED: "A program that Tranship drives ended with an error.",
  E_NATIVE_MISSING: "One of the native helpers has not been built for this architecture.",
  E_PROTOCOL: "A native helper or a file of ours does not follow its documented format.",
  E_STATE_BUSY: "Another command holds the lock of the state root or of an instance.",
  E_STATE_VERSION: "The state root was written by a newer version of Tranship.",
  E_STATE_CORRUPT: "A file of the state root cannot be read as what it should be.",
  E_NO_SPACE: "There is not enough free space for what was asked.",
  E_IO: "A file could not be read or written.",
  E_MACHINE_UNKNOWN: "The machine address is not one of the known kinds.",
  E_MACHINE_UNREACHABLE: "The machine exists by its address, but could not be opened.",
  E_COMMAND_NOT_FOUND: "The command to capture or to run does not exist on the machine.",
  E_SERVICE_NOT_FOUND: "No service of that name was found on the machine.",
  E_PROCESS_NOT_FOUND: "No running process of the machine fits what was asked for, or it ended meanwhile.",
  E_CAPTURE_FAILED: "The capture ended before everything that was asked for had been seen.",
  E_CAPTURE_INCOMPLETE: "Evidence was lost while the program ran; a package made from it could lack files.",
  E_EXERCISE_FAILED: "The exercise ended with a non-zero status.",
  E_SOURCE_CHANGED: "A file of the source changed between the plan and the packing, or while it was read.",
  E_PLAN_INVALID: "The plan is not valid.",
  E_UNMET:
    "A program of the plan needs a library, a symbol version or an interpreter that the source has and the plan leaves out.",
  E_DESCRIPTOR_INVALID: "The package descriptor is not valid.",
  E_EMP_INVALID: "A file of an EMP folder cannot be read as what it should be.",
  E_NOT_IN_PACKAGE: "The path is not part of the package.",
  E_KERNEL_PART: "A package may not hold a kernel, a module, an initrd, a boot or a firmware file.",
  E_REFERENCE_INVALID: "The text is not a valid OCI reference.",
  E_CHANGED_MEANWHILE: "What was to be changed was changed or removed by another command since it was read.",
  E_IMAGE_NOT_FOUND: "The store has no such image.",
  E_IMAGE_CORRUPT: "A blob of the store is missing, truncated or does not match its digest.",
  E_IMAGE_UNSUPPORTED: "The image uses a media type or a feature that is not supported.",
  E_IMAGE_IN_USE: "The image is used by an instance.",
  E_LAYER_HOSTILE: "A layer holds an entry that would leave the root file system or is not allowed.",
  E_LIMIT: "A declared limit (bytes, entries, ratio, depth) was passed by the input.",
  E_INSTANCE_NOT_FOUND: "There is no such instance.",
  E_INSTANCE_STATE: "The instance is not in a state in which that can be done.",
  E_PATH_NOT_FOUND:
    "There is no such path in the instance or on this host, or it is not of the kind that is needed.",
  E_REDIRECTION: "A redirection cannot be carried out here.",
  E_DEPLOYMENT_NOT_FOUND: "No package is deployed here under that name.",
  E_DEPLOYED: "A package is deployed here under that name already, or nothing can be changed about what is.",
  E_HOOK_FAILED: "A hook of the package ended with an error; what had been done was undone.",
  E_VOLUME_NOT_FOUND: "There is no such volume.",
  E_VOLUME_IN_USE: "The volume is used by an instance.",
  E_NETWORK_NOT_FOUND: "There is no such network.",
  E_NETWORK_IN_USE: "The network is used by an instance.",
  E_NAME_TAKEN: "The name is already used by another instance or network.",
  E_IDENTITY_TAKEN: "A part of the identity that an instance takes on belongs to another running instance.",
  E_PORT_TAKEN: "The port of the host is already taken.",
  E_NETWORK: "The network of an instance could not be set up.",
  E_NOT_CARRIED_OUT: "A descriptor asks for what this engine does not do.",
  E_LIMIT_UNSUPPORTED: "This host cannot hold a limit that was asked for.",
  E_USERNS: "A user namespace could not be given its ids.",
  E_RUNTIME: "The OCI runtime could not start the instance.",
  E_NO_RUNTIME: "No usable OCI runtime was found on this host.",
  E_SECRET_MISSING: "A secret that the package needs was not given.",
  E_ID_AMBIGUOUS: "The shortened id fits more than one object.",
  E_REGISTRY_UNREACHABLE:
    "The registry could not be reached, or the connection broke more often than was tried.",
  E_REGISTRY_DENIED: "The registry does not let you do that, or wants you to log in.",
  E_REGISTRY_NOT_FOUND: "The registry has no such image or blob.",
  E_REGISTRY_UNSAFE: "The registry asked for something that is refused for safety.",
  E_REGISTRY_FAILED: "The registry answered with an error, or with what the specification does not allow.",
  E_TEST_FAILED: "The test of the package could not be carried out.",
  E_CLUSTER_UNREACHABLE: "No control plane answers where one was looked for.",
  E_CLUSTER_REFUSED: "The control plane refused the call.",
  E_ENGINE_UNREACHABLE: "The container engine did not answer, or is too old.",
} as const;

export type ErrorCode = keyof typeof errorCodes;

export interface ErrorOptions {
  /** What the reader should do next, one sentence. */
  hint?: string;
  /** The values concerned, for programs (`--log-format json`). */
  details?: Record<string, unknown>;
  cause?: unknown;
  /** Exit status where it differs from the default of the code. */
  exitStatus?: number;
}

/** message: lower case, no full stop, names the path or value concerned. */
export class TranshipError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: Record<string, unknown>;
  readonly exitStatus: number;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "TranshipError";
    this.code = code;
    this.hint = options.hint;
    this.details = options.details ?? {};
    this.exitStatus = options.exitStatus ?? defaultExitStatus(code);
  }
}

export function isTranshipError(value: unknown, code?: ErrorCode): value is TranshipError {
  return value instanceof TranshipError && (code === undefined || value.code === code);
}

/** The documented exit statuses of all verbs but `run` and `exec` (docs/reference/cli.md). */
export const exitStatus = { done: 0, failed: 1, usage: 2, blocked: 3, no: 4 } as const;

function defaultExitStatus(code: ErrorCode): number {
  switch (code) {
    case "E_USAGE":
    case "E_MACHINE_UNKNOWN":
    case "E_REFERENCE_INVALID":
      return exitStatus.usage;
    case "E_NOT_IN_PACKAGE":
      return exitStatus.no;
    case "E_INTERRUPTED":
      return 130;
    default:
      return exitStatus.failed;
  }
}
