import { invalidParameter } from "../api/ecs-error.ts";
import type { PlacementConstraint, PlacementStrategy } from "../api/shapes.ts";
import { parseExpression } from "../placement/expression.ts";

/** Throws InvalidParameterException for what placement could not carry out. */
export function checkPlacement(
  constraints: readonly PlacementConstraint[] | undefined,
  strategy: readonly PlacementStrategy[] | undefined,
): void {
  if ((constraints?.length ?? 0) > 10)
    throw invalidParameter("At most 10 placement constraints can be given.");
  if ((strategy?.length ?? 0) > 5) throw invalidParameter("At most 5 placement strategies can be given.");
  for (const { type, expression } of constraints ?? []) {
    if (type === "memberOf") {
      if (expression === undefined || expression.trim() === "")
        throw invalidParameter("A memberOf constraint needs an expression.");
      parseExpression(expression);
    } else if (type !== "distinctInstance")
      throw invalidParameter("A placement constraint has the type distinctInstance or memberOf.");
    else if (expression !== undefined && expression !== "")
      throw invalidParameter("distinctInstance takes no expression.");
  }
  for (const { type, field = "" } of strategy ?? []) {
    const right =
      type === "random"
        ? field === ""
        : type === "binpack"
          ? /^(cpu|memory)$/i.test(field)
          : type === "spread" && (/^(instanceId|host)$/.test(field) || field.startsWith("attribute:"));
    if (!right)
      throw invalidParameter(`Placement strategy ${type} with the field "${field.slice(0, 60)}" is invalid.`);
  }
}
