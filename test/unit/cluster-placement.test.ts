// The cluster query language, its patterns, and placement.
import assert from "node:assert/strict";
import { test } from "node:test";
import { distribute } from "../../src/cluster/control/capacity-providers.ts";
import { parseExpression, type Subject } from "../../src/cluster/placement/expression.ts";
import { compilePattern, PatternError } from "../../src/cluster/placement/pattern.ts";
import { type Candidate, place } from "../../src/cluster/placement/place.ts";

const attributes = new Map<string, string | null>([
  ["ecs.instance-type", "g2.large"],
  ["stack", "prod"],
  ["size", "12"],
  ["marked", null],
]);
const subject: Subject = {
  attribute: (name) => attributes.get(name),
  field: (name) => ({ agentConnected: "true", runningTasksCount: "3" })[name],
  hasTaskOfGroup: (group) => group === "service:web",
};

test("expressions of the cluster query language", () => {
  const cases: [string, boolean][] = [
    ["attribute:stack == prod", true],
    ["attribute:stack equals 'prod'", true],
    ["attribute:stack != prod", false],
    ["attribute:absent != prod", true],
    ["attribute:absent == prod", false],
    ["attribute:marked exists", true],
    ["attribute:absent exists", false],
    ["attribute:absent not_exists", true],
    ["attribute:absent !exists", true],
    ["attribute:stack in [test, prod]", true],
    ["attribute:stack not_in ['test', 'prod']", false],
    ["attribute:absent !in [prod]", true],
    ["attribute:ecs.instance-type =~ g2.*", true],
    ["attribute:ecs.instance-type !~ t2.*", true],
    ["attribute:size > 9", true],
    ["attribute:size <= 11", false],
    ["runningTasksCount less_than 10", true],
    ["agentConnected == true", true],
    ["task:group == service:web", true],
    ["task:group != service:web", false],
    ["not(attribute:stack == prod)", false],
    ["!(attribute:stack == test) && (attribute:size == 12 || attribute:absent exists)", true],
    ["attribute:stack == test or attribute:stack == prod and attribute:size == 12", true],
    ["(attribute:stack == test or attribute:stack == prod) and attribute:size == 13", false],
  ];
  for (const [text, wanted] of cases) assert.equal(parseExpression(text)(subject), wanted, text);
});

test("expressions that are none name the place", () => {
  const cases = [
    "",
    "attribute:x",
    "attribute:x ==",
    "attribute: == 1",
    "x == 1",
    "attribute:x = 1",
    "(attribute:x exists",
    "attribute:x in [a",
    "attribute:x in a",
  ];
  cases.push(
    "attribute:x exists)",
    "attribute:x =~ [",
    "attribute:x == 1 &&",
    "attribute:x ~~ 1",
    `${"(".repeat(80)}attribute:x exists`,
    "task:group > 1",
    `attribute:x == '${"y".repeat(3000)}'`,
  );
  for (const text of cases)
    assert.throws(() => parseExpression(text), { name: "InvalidParameterException" }, text);
});

test("patterns", () => {
  const cases: [string, string, boolean][] = [
    ["g2.*", "g2.large", true],
    ["g2.*", "xg2.large", false],
    ["^a(b|cd)*e$", "abcdcdbe", true],
    ["a(b|cd)*e", "acbe", false],
    ["[a-c]+[^0-9]?", "abcx", true],
    ["[a-c]+[^0-9]?", "abc5", false],
    ["\\d+\\.\\w", "12.x", true],
    ["x?", "", true],
    ["(?:ab)+", "abab", true],
    ["", "", true],
    ["(a*)*", "aaaa", true],
  ];
  for (const [pattern, text, wanted] of cases)
    assert.equal(compilePattern(pattern)(text), wanted, `${pattern} ${text}`);
  for (const bad of ["(", ")", "[", "a{2}", "*", "\\", "\\q", "a**", "x".repeat(300)])
    assert.throws(() => compilePattern(bad), PatternError, bad);
  // Would take for ever where a matcher goes back.
  assert.equal(compilePattern("(a+)+b")("a".repeat(2000)), false);
});

const candidate = (id: string, more: Partial<Candidate> = {}): Candidate => ({
  id,
  subject: { ...subject, attribute: (name) => (name === "zone" ? id.slice(0, 1) : undefined) },
  cpu: 100,
  memory: 100,
  ports: new Set(),
  available: true,
  ...more,
});
const demand = {
  cpu: 10,
  memory: 10,
  ports: [],
  constraints: [],
  strategy: [],
  groupCounts: new Map(),
  random: () => 0.5,
};

test("placement says why it cannot", () => {
  const cases: [Candidate[], object, string][] = [
    [[], {}, "NO_INSTANCES"],
    [[candidate("a", { available: false })], {}, "AGENT"],
    [[candidate("a", { memory: 5 })], {}, "RESOURCE:MEMORY"],
    [[candidate("a", { cpu: 5 })], {}, "RESOURCE:CPU"],
    [[candidate("a", { ports: new Set(["80/tcp"]) })], { ports: ["80/tcp"] }, "RESOURCE:PORTS"],
    [
      [candidate("a")],
      { constraints: [{ type: "memberOf", expression: "attribute:zone == b" }] },
      "ATTRIBUTE",
    ],
    [
      [candidate("a")],
      { constraints: [{ type: "distinctInstance" }], groupCounts: new Map([["a", 1]]) },
      "DISTINCT_INSTANCE",
    ],
  ];
  for (const [candidates, more, failure] of cases)
    assert.equal(place(candidates, 1, { ...demand, ...more }).failure, failure);
});

test("placement takes what it places", () => {
  const candidates = ["a1", "a2", "b1"].map((id) => candidate(id));
  const { placed, failure } = place(candidates, 31, {
    ...demand,
    strategy: [
      { type: "spread", field: "attribute:zone" },
      { type: "binpack", field: "cpu" },
    ],
  });
  assert.equal(placed.length, 30);
  assert.equal(failure, "RESOURCE:MEMORY");
  // What is left belongs to the caller: it may ask again.
  assert.ok(candidates.every(({ cpu, memory }) => cpu === 100 && memory === 100));
  // Zone b is full after ten; until then the zones take turns.
  assert.deepEqual(
    placed.slice(0, 4).map(({ id }) => id),
    ["a1", "b1", "a1", "b1"],
  );
});

test("capacity providers share by base and weight", () => {
  const strategy = [
    { capacityProvider: "small", base: 2, weight: 1 },
    { capacityProvider: "large", weight: 3 },
  ];
  const chosen = distribute(strategy, new Map(), 10);
  assert.deepEqual(chosen.slice(0, 2), ["small", "small"]);
  assert.equal(chosen.filter((name) => name === "large").length, 6);
});
