// How secrets and environment files are named, and what a file says.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { SecretStore } from "../../src/cluster/secret-store.ts";
import { inputResolver, parseEnvironment, secretValue } from "../../src/cluster/task-inputs.ts";

const values = new Map([
  ["shop/db", '{"user":"web","port":3306}'],
  ["plain", "text"],
  ["rotated-abcdef", "by its whole name"],
]);
const secrets = { get: (name: string) => values.get(name.replace(/^\//, "")) };
const manager = "arn:aws:secretsmanager:eu-test-1:000000000000:secret:";

test("a secret is found by its name or by an ARN", () => {
  assert.equal(secretValue(secrets, "plain"), "text");
  assert.equal(secretValue(secrets, "arn:aws:ssm:eu-test-1:000000000000:parameter/plain"), "text");
  assert.equal(secretValue(secrets, `${manager}plain-Ab3dEf`), "text");
  assert.equal(secretValue(secrets, `${manager}plain`), "text");
  assert.equal(secretValue(secrets, `${manager}rotated-abcdef`), "by its whole name");
  assert.equal(secretValue(secrets, `${manager}shop/db-Ab3dEf:user::`), "web");
  assert.equal(secretValue(secrets, `${manager}shop/db-Ab3dEf:port::`), "3306");
});

test("what is not there is not made up", () => {
  assert.equal(secretValue(secrets, "absent"), undefined);
  assert.equal(secretValue(secrets, `${manager}shop/db-Ab3dEf:password::`), undefined);
  assert.equal(secretValue(secrets, `${manager}plain-Ab3dEf:user::`), undefined, "no JSON");
  assert.equal(secretValue(secrets, `${manager}shop/db:constructor::`), undefined);
  assert.equal(secretValue(secrets, "arn:aws:s3:::plain"), undefined);
});

test("an environment file is taken as it stands", () => {
  const text = '# comment\n\nA=1\n  B = two words \nC="q"=x\r\nno value\n=none\nD=\n';
  assert.deepEqual(parseEnvironment(text), [
    { name: "A", value: "1" },
    { name: "B ", value: " two words " },
    { name: "C", value: '"q"=x' },
    { name: "D", value: "" },
  ]);
});

test("files of a call come after those of the definition, and a login is a secret with two members", (t) => {
  const root = mkdtempSync(join(tmpdir(), "tranship-inputs-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const environmentFiles = join(root, "buckets");
  mkdirSync(join(environmentFiles, "set"), { recursive: true });
  for (const name of ["one", "two"])
    writeFileSync(join(environmentFiles, `set/${name}.env`), `WHICH=${name}\n`);
  const store = new SecretStore(root);
  store.put("login", Buffer.from('{"username":"ann","password":"s3cret"}'));
  store.put("half", Buffer.from('{"username":"ann"}'));
  // Names of directories are no names of secrets.
  for (const name of [".", "..", "/.."]) {
    assert.throws(() => store.put(name, Buffer.from("x")), /cannot be the name of a secret/);
    assert.equal(store.get(name), undefined);
    assert.equal(store.remove(name), false);
  }
  const resolve = inputResolver({ root, environmentFiles });
  const file = (name: string) => ({ type: "s3" as const, value: `arn:aws:s3:::set/${name}.env` });
  const main = { name: "main", environmentFiles: [file("one")] };
  const containerOverrides = [{ name: "main", environmentFiles: [file("two")] }];
  const found = resolve({ containerDefinitions: [main] }, { containerOverrides });
  assert.ok(typeof found !== "string");
  assert.deepEqual(
    found.main?.environment.map(({ value }) => value),
    ["one", "two"],
  );
  const login = (credentialsParameter: string) =>
    resolve({ containerDefinitions: [{ name: "main", repositoryCredentials: { credentialsParameter } }] });
  const given = login("login");
  assert.ok(typeof given !== "string");
  assert.deepEqual(given.main?.registry, { username: "ann", password: "s3cret" });
  for (const name of ["half", "absent"]) {
    const refused = login(name);
    assert.ok(typeof refused === "string");
    assert.match(refused, /unable to pull registry auth/);
    assert.doesNotMatch(refused, /ann/);
  }
});
