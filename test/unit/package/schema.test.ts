// What a descriptor's text is told: line, place and what was probably meant.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { nearest } from "../../../src/base/nearest.ts";
import { type Descriptor, newDescriptor } from "../../../src/package/descriptor.ts";
import { withDefaults } from "../../../src/package/effective.ts";
import { compileInitPlan } from "../../../src/package/init-plan.ts";
import { descriptorSchema } from "../../../src/package/schema.ts";
import { describe, parseDescriptor, printDescriptor, readDocument } from "../../../src/package/yaml.ts";

const head = `apiVersion: tranship/v1alpha1
kind: Package
metadata: {id: a, name: b}
origin: {os: {id: debian, version: "11"}, architecture: amd64}
`;

function told(more: string): string[] {
  const { problems, unknown } = readDocument(head + more, descriptorSchema);
  return [...problems, ...unknown].map(describe);
}

test("each problem has its line, its place and a hint", () => {
  const cases: [text: string, wanted: RegExp][] = [
    [
      "services: [{name: a, program: p, startup: atuo}]",
      /^line 5: services\[0\]\.startup: .*did you mean auto/,
    ],
    [
      "services:\n  - name: a\n    program: p\n    stop: {signal: SIGTREM}",
      /^line 8: .*did you mean SIGTERM/,
    ],
    [
      "services:\n  - {name: a, program: mian}\nprograms: [{name: main, command: [x]}]",
      /^line 6: .*did you mean main/,
    ],
    [
      "programs: [{name: a, command: [x]}]\nschedules: [{name: s, program: a, cron: '61 * * * *'}]",
      /^line 6: .*"61"/,
    ],
    ["volumes: [{path: /a/../b}]", /^line 5: volumes\[0\]\.path: may hold neither/],
    ["limits: {memory: lots}", /^line 5: limits\.memory: .*512MiB/],
    ["ports: [{port: 80},\n  {port: 80}]", /^line 6: ports\[1\]\.port: the port 80\/tcp is there twice/],
    ["hooks: {preInstall: [{where: host}]}", /^line 5: hooks\.preInstall\[0\]: needs one of/],
    ["sevices: []", /^line 5: sevices: is no key .*did you mean services/],
    ["limits:\n  # more\n  memroy: 1", /^line 7: limits\.memroy: .*did you mean memory/],
    ["services: [{name: a, progam: p}]", /^line 5: services\[0\]\.program: is missing \(.*progam\?/],
    ["services: [{name: a, type: simple}]", /^line 5: services\[0\]\.program: is missing$/],
    ["programs: [{name: a, command: [/bin/echo, yes, true]}]", /command\[2\]: .*put it in quotes/],
    ["identity: {hostname: 7}", /^line 5: identity\.hostname: .*put it in quotes/],
    ["identity: {dmi: {x/y: z}}", /^line 5: identity\.dmi\.x\/y: must be the name/],
    ["a: [\n", /^line \d/],
    ["a: 1\na: 2", /^line 6: .*unique/],
    ["x: ".concat("[".repeat(100_000)), /nested too deep/],
  ];
  for (const [text, wanted] of cases) assert.match(told(text)[0] ?? "no problem", wanted, text);
});

test("services that wait for each other, and themselves, are told as the circle that they are", () => {
  const services = "programs: [{name: p, command: [x]}]\nservices:\n".concat(
    ...["a: c", "b: a", "c: b"].map((one) => {
      const [name, after] = one.split(": ");
      return `  - {name: ${name}, program: p, after: [${after}]}\n`;
    }),
  );
  assert.match(told(services)[0] ?? "", /circle: a -> c -> b -> a/);
});

test("a key of one's own, and free names, are no unknown keys", () => {
  assert.deepEqual(
    told("x-site: {anything: [1]}\nenvironment: {ANY: thing}\nidentity: {dmi: {product_name: y}}"),
    [],
  );
});

test("the defaults in words are those that init gets", () => {
  const parts: Partial<Descriptor> = {
    programs: [{ name: "p", command: ["/x"] }],
    services: [
      { name: "a", program: "p" },
      { name: "b", program: "p", restart: { policy: "always" } },
      { name: "c", program: "p", restart: { policy: "on-failure" }, readiness: { port: 1 } },
    ],
  };
  const origin = { os: { id: "debian", version: "11" }, kernel: "", architecture: "amd64" };
  const descriptor = {
    ...newDescriptor({ id: "a", name: "a", version: "1", publisher: "" }, origin),
    ...parts,
  };
  const filled = withDefaults(descriptor);
  const plan = compileInitPlan(descriptor);
  const told = compileInitPlan(filled);
  assert.deepEqual({ ...told, programs: [] }, { ...plan, programs: [] });
  assert.equal(filled.services[0]?.stop?.signal, "SIGTERM");
  assert.deepEqual(withDefaults(parseDescriptor(printDescriptor(filled), "x")), filled);
});

test("every key of the schema is in its page, and every default of its page is the schema's", () => {
  const page = readFileSync(join(import.meta.dirname, "../../../docs/reference/package.md"), "utf8");
  const missing: string[] = [];
  const walk = (shape: Record<string, unknown>): void => {
    for (const one of [shape, ...((shape.anyOf ?? shape.oneOf ?? []) as Record<string, unknown>[])]) {
      for (const [key, below] of Object.entries((one.properties ?? {}) as Record<string, object>)) {
        if (!page.includes(`\`${key}`)) missing.push(key);
        walk(below as Record<string, unknown>);
      }
      if (typeof one.items === "object" && one.items !== null) walk(one.items as Record<string, unknown>);
      if (one !== shape) walk(one);
    }
  };
  const schemas = join(import.meta.dirname, "../../../schemas/package.schema.json");
  walk(JSON.parse(readFileSync(schemas, "utf8")) as Record<string, unknown>);
  assert.deepEqual([...new Set(missing)], []);
});

test("nearest finds one slip, and not just anything", () => {
  assert.equal(nearest("sevices", ["services", "secrets"]), "services");
  assert.equal(nearest("Memory", ["memory"]), "memory");
  assert.equal(nearest("quota", ["memory", "cpus"]), undefined);
});
