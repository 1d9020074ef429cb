// An answer that says what is wrong, in the form of the distribution specification.
export type ErrorName =
  | "BLOB_UNKNOWN" | "BLOB_UPLOAD_INVALID" | "BLOB_UPLOAD_UNKNOWN" | "DIGEST_INVALID" | "MANIFEST_BLOB_UNKNOWN"
  | "MANIFEST_INVALID" | "MANIFEST_UNKNOWN" | "NAME_INVALID" | "NAME_UNKNOWN" | "SIZE_INVALID" | "UNAUTHORIZED"
  | "DENIED" | "UNSUPPORTED" | "TOOMANYREQUESTS"; // biome-ignore format: a list

export class HttpError extends Error {
  readonly status: number;
  readonly code: ErrorName;
  readonly headers: Record<string, string>;

  constructor(status: number, code: ErrorName, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}
