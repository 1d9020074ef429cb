/** An exception of the ECS API, as its clients know it: `type` is a name of the model, "ClusterNotFoundException" for example. */
export class EcsError extends Error {
  readonly type: string;
  readonly status: number;
  /** Further members of the answer, `resourceIds` for example. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    type: string,
    message: string,
    options: { status?: number; details?: Record<string, unknown> } = {},
  ) {
    super(message);
    this.name = type;
    this.type = type;
    this.status = options.status ?? (type === "ServerException" ? 500 : 400);
    this.details = options.details ?? {};
  }
}

export const invalidParameter = (message: string): EcsError =>
  new EcsError("InvalidParameterException", message);
export const clientError = (message: string): EcsError => new EcsError("ClientException", message);
export const clusterNotFound = (): EcsError => new EcsError("ClusterNotFoundException", "Cluster not found.");
export const serviceNotFound = (): EcsError => new EcsError("ServiceNotFoundException", "Service not found.");
