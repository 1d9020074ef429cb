import assert from "node:assert/strict";
import { test } from "node:test";
import { filterRows, printRows, printTable, renderTemplate } from "../../../src/cli/format.ts";

const value = {
  ID: "abc",
  Names: ["a", "b"],
  Ports: [{ Host: 80 }, { Host: 81 }],
  Empty: [],
  Size: 12,
  Label: null,
};

test("templates of docker users", () => {
  assert.equal(renderTemplate("{{.ID}} {{.size}}", value), "abc 12");
  assert.equal(renderTemplate("{{json .Names}}", value), '["a","b"]');
  assert.equal(renderTemplate('{{join .Names ", "}}', value), "a, b");
  assert.equal(renderTemplate("{{range .Ports}}{{.Host}};{{end}}", value), "80;81;");
  assert.equal(renderTemplate("{{range .Names}}[{{.}}]{{end}}", value), "[a][b]");
  assert.equal(renderTemplate("{{if .Empty}}yes{{else}}no{{end}}{{if .ID}}!{{end}}", value), "no!");
  assert.equal(renderTemplate("{{.ID}}\\t{{len .Names}}", value), "abc\t2");
  assert.equal(renderTemplate("{{.Label}}", value), "");
});

test("tables of a template have titles, in columns", () => {
  const rows = [
    { ID: "abc", RunningFor: "2 hours ago", LocalVolumes: "1", Labels: { tier: "web" } },
    { ID: "a longer id", RunningFor: "1 second ago", LocalVolumes: "0", Labels: {} },
  ];
  assert.equal(
    printRows(rows, "table {{.ID}}\\t{{.RunningFor}}\\t{{.LocalVolumes}}", "INSTANCE ID"),
    "INSTANCE ID   CREATED        LOCAL VOLUMES\nabc           2 hours ago    1\na longer id   1 second ago   0\n",
  );
  assert.equal(printRows([], "table {{.ID}}"), "ID\n");
  assert.equal(printRows(rows, '{{index .Labels "tier"}};'), "web;\n;\n");
  assert.equal(renderTemplate("{{index .Names 1}}", value), "b");
});

test("mistakes in templates are told", () => {
  assert.throws(() => renderTemplate("{{.Nope}}", value), /there is no field \.Nope; there are: ID/);
  assert.throws(() => renderTemplate("{{range .Names}}x", value), /without \{\{end\}\}/);
  assert.throws(() => renderTemplate("{{end}}", value), /without its beginning/);
  assert.throws(() => renderTemplate("{{printf 1}}", value), /unknown word/);
});

test("tables and filters", () => {
  assert.equal(printTable(["A", "LONG"], [["x", "y"]]), "A   LONG\nx   y\n");
  const rows = [{ Name: "shop" }, { Name: "other" }];
  assert.deepEqual(filterRows(rows, ["name=sho"]), [{ Name: "shop" }]);
  assert.throws(() => filterRows(rows, ["size=1"]), /no field size/);
  assert.throws(() => filterRows(rows, ["name"]), /KEY=VALUE/);
});
