// Changes of a descriptor's text: only what was meant changes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isTranshipError } from "../../../src/base/errors.ts";
import { changeText, parseChange } from "../../../src/package/edit.ts";

const text = `# of the site; keep
apiVersion: tranship/v1alpha1   # first
metadata:   {id: a,  name: b}   # odd   spacing

programs:
    - {name: main, command: [/bin/x]}   # the one
    - name:  second
      command:  [ /bin/y,   -v ]
      user: www   # who
environment: {}
x-own: {a: 1}
`;

const set = (...words: string[]): string => changeText(text, words.map(parseChange));

test("a value that takes the place of another changes nothing else", () => {
  assert.equal(set("metadata.name=other"), text.replace("name: b}", "name: other}"));
  assert.equal(set("programs[second].user=root"), text.replace("user: www", "user: root"));
  assert.equal(set("programs[0].command=[/bin/z, -d]"), text.replace("[/bin/x]", "[/bin/z, -d]"));
  assert.equal(set('metadata.id="80"'), text.replace("id: a", 'id: "80"'));
});

test("a new key keeps comments, order and unknown keys", () => {
  const added = set("programs[second].environment[A.B]=c", "ports[+]={port: 80}");
  for (const kept of [
    "# of the site; keep",
    "# first",
    "# odd   spacing",
    "# the one",
    "# who",
    "x-own: {a: 1}",
  ])
    assert.ok(added.includes(kept), kept);
  assert.match(added, /environment:\n\s+A\.B: c/);
  assert.match(added, /ports:\n\s+- \{port: 80\}\n/);
  assert.ok(added.indexOf("metadata") < added.indexOf("programs"));
});

test("a key is removed with what is below it, and nothing else", () => {
  const less = changeText(text, [{ key: "programs[main]", value: undefined }]);
  assert.doesNotMatch(less, /bin\/x/);
  assert.match(less, /user: www # who/);
  const none = changeText(text, [{ key: "x-own", value: undefined }]);
  assert.doesNotMatch(none, /x-own/);
});

test("a key that leads nowhere is refused with what was probably meant", () => {
  for (const [change, hint] of [
    ["programs[secnd].user=x", /\[second\]/],
    ["programs[7].user=x", /there are: main, second/],
    ["metadata.name.first=x", /./],
    ["nothing", /KEY|write/],
    ["a..b=1", /./],
  ] as const) {
    assert.throws(
      () => set(change),
      (error) => isTranshipError(error, "E_USAGE") && hint.test(error.hint ?? ""),
      change,
    );
  }
  assert.throws(
    () => changeText(text, [{ key: "metadata.nam", value: undefined }]),
    (error) => isTranshipError(error, "E_USAGE") && error.hint === "did you mean name?",
  );
});

test("a value with an anchor is not torn from its aliases", () => {
  const shared = "a: &x {b: 1}\nc: *x\n";
  assert.doesNotThrow(() => changeText(shared, [parseChange("d=2")]));
  assert.match(changeText(shared, [parseChange("a.b=2")]), /a: &x \{b: 2\}\nc: \*x/);
});
