// The model of the ECS API (model.json, derived from the vendor's SDK) and the check of values against it.

import { EcsError } from "./ecs-error.ts";
import model from "./model.json" with { type: "json" };

type Type = string | { list: Type } | { map: Type } | { ref: string } | { enum: string };
interface Structure {
  members: Record<string, Type>;
  required: string[];
}

const structures = new Map<string, Structure>(Object.entries(model.structures as Record<string, Structure>));
const enums = new Map<string, string[]>(Object.entries(model.enums));
const operations = new Map(Object.entries(model.operations));

/** Members that may have a fraction; the model has all others as integers, which the SDK's types do not tell. */
const fractional =
  /^(CanaryConfiguration\.canaryPercent|LinearConfiguration\.stepPercent|ManagedApplicationAutoScalingPolicy\.targetValue|(MemoryGiBPerVCpu|NetworkBandwidthGbps|TotalLocalStorageGB)Request\.m(in|ax)|Resource\.doubleValue|Scale\.value|ServiceRevisionSummary\.requested\w+Weight)$/;

/** Operations that the API has and this control plane answers with UnsupportedFeatureException. */
export const otherOperations: ReadonlySet<string> = new Set(model.others);
export const operationNames: readonly string[] = [...operations.keys()];

/** Throws what a client of the real service would see: SerializationException for a wrong type, InvalidParameterException for the rest. */
export function checkInput(operation: string, value: unknown): void {
  const shape = operations.get(operation)?.input;
  if (shape !== undefined) checkStructure(shape, value, "", 0);
}

/** The same check of an answer; tests hold every answer against it. */
export function checkOutput(operation: string, value: unknown): void {
  const shape = operations.get(operation)?.output;
  if (shape !== undefined) checkStructure(shape, value, "", 0);
}

function checkStructure(name: string, value: unknown, path: string, depth: number): void {
  const shape = structures.get(name);
  if (shape === undefined) throw new Error(`the model has no structure ${name}`);
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw mistyped(path, "a structure", value);
  if (depth > 20) throw new EcsError("SerializationException", `${path} is nested too deeply`);
  for (const [key, member] of Object.entries(value)) {
    const type = Object.hasOwn(shape.members, key) ? shape.members[key] : undefined;
    const at = path === "" ? key : `${path}.${key}`;
    if (type === undefined) throw unknownMember(at, shape);
    // null is how some clients say "absent".
    if (member === null || member === undefined) continue;
    checkType(type, member, at, depth);
    if (hasFraction(type, member) && !fractional.test(`${name}.${key}`))
      throw new EcsError("SerializationException", `${at} must be a whole number, not ${String(member)}`);
  }
  for (const key of shape.required) {
    if ((value as Record<string, unknown>)[key] ?? null) continue;
    if (
      (value as Record<string, unknown>)[key] === undefined ||
      (value as Record<string, unknown>)[key] === null
    )
      throw new EcsError(
        "InvalidParameterException",
        `${path === "" ? key : `${path}.${key}`} should not be null or empty.`,
      );
  }
}

function checkType(type: Type, value: unknown, path: string, depth: number): void {
  if (typeof type === "string") {
    const right =
      type === "document" ||
      (type === "time" ? isNumber(value) : type === "number" ? isNumber(value) : typeof value === type);
    if (!right) throw mistyped(path, type === "time" ? "a number of seconds" : `a ${type}`, value);
  } else if ("list" in type) {
    if (!Array.isArray(value)) throw mistyped(path, "a list", value);
    value.forEach((item, index) => {
      checkType(type.list, item, `${path}[${index}]`, depth + 1);
    });
  } else if ("map" in type) {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw mistyped(path, "a map", value);
    for (const [key, item] of Object.entries(value)) checkType(type.map, item, `${path}.${key}`, depth + 1);
  } else if ("ref" in type) checkStructure(type.ref, value, path, depth + 1);
  else if (!enums.get(type.enum)?.includes(value as string)) {
    if (typeof value !== "string") throw mistyped(path, "a string", value);
    const allowed = enums.get(type.enum)?.join(", ");
    throw new EcsError(
      "InvalidParameterException",
      `Value '${value.slice(0, 100)}' at '${path}' failed to satisfy constraint: Member must satisfy enum value set: [${allowed}]`,
    );
  }
}

/** Also a list that holds one. */
function hasFraction(type: Type, value: unknown): boolean {
  if (typeof type === "object" && "list" in type && type.list === "number")
    return (value as unknown[]).some((item) => hasFraction("number", item));
  return type === "number" && !Number.isInteger(value);
}

const isNumber = (value: unknown): boolean => typeof value === "number" && Number.isFinite(value);

function mistyped(path: string, wanted: string, value: unknown): EcsError {
  const seen = value === null ? "null" : Array.isArray(value) ? "a list" : typeof value;
  return new EcsError(
    "SerializationException",
    `${path === "" ? "the body" : path} must be ${wanted}, not ${seen}`,
  );
}

function unknownMember(path: string, shape: Structure): EcsError {
  const known = Object.keys(shape.members).slice(0, 60).join(", ");
  return new EcsError(
    "InvalidParameterException",
    `Unknown parameter in input: "${path.slice(0, 200)}", must be one of: ${known}`,
  );
}
