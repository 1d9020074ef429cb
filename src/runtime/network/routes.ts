// Routes of the host: where no network of ours may be.
import { readFileSync } from "node:fs";
import { parseRoutes, type Route } from "./subnet.ts";
import { parseRoutes6, type Route6 } from "./subnet6.ts";

export function readRoutes(): Route[] {
  return parseRoutes(readFileSync("/proc/self/net/route", "latin1"));
}

/** None where the host has no IPv6. */
export function readRoutes6(): Route6[] {
  try {
    return parseRoutes6(readFileSync("/proc/self/net/ipv6_route", "latin1"));
  } catch {
    return [];
  }
}
