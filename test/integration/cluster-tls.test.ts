// The control plane over TLS: calls, and an agent that trusts its authority; one that does not stays outside.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { get } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { clusterClient } from "../../src/cluster/client.ts";
import { AgentsDriver } from "../../src/cluster/drivers/agents/agents-driver.ts";
import { testCluster } from "../support/cluster.ts";
import { makeCertificates } from "../support/registries.ts";
import { programWords } from "./runtime-fixture.ts";

const token = "the token of this cluster, long enough";

test("calls and agents come in over TLS, from who trusts its authority", { timeout: 60_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "tranship-cluster-tls-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  makeCertificates(directory);
  const pem = (name: string): Buffer => readFileSync(join(directory, name));
  const driver = new AgentsDriver("agents");
  const tls = { cert: pem("server.cert"), key: pem("server.key") };
  const cluster = await testCluster({ driver, tls, agents: { driver, token: () => token } });
  t.after(() => cluster.close());
  const url = cluster.url.replace("http:", "https:");
  const ping = (ca: Buffer | undefined): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      get(`${url}/ping`, { ...(ca === undefined ? {} : { ca }), agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).on("error", reject);
    });
  assert.equal(await ping(pem("ca.crt")), 200);
  await assert.rejects(ping(undefined), /certificate|issuer/);
  await assert.rejects(fetch(`${cluster.url}/ping`), "nothing is answered in the clear");

  const trusting = { NODE_EXTRA_CA_CERTS: join(directory, "ca.crt") };
  assert.match(
    await said(t, { url, root: join(directory, "b") }),
    /its certificate is not trusted \(.*\): set NODE_EXTRA_CA_CERTS .*; trying again/,
  );
  const clear = url.replace("https:", "http:");
  assert.match(await said(t, { url: clear, root: join(directory, "c") }), /is it https:\/\/\?; trying again/);
  assert.deepEqual(driver.nodes(), []);
  // Our own verbs say the same.
  const verb = (at: string): Promise<unknown> =>
    clusterClient({ url: at, region: "r" }, { accessKeyId: "A", secretAccessKey: "s" }).call(
      "ListClusters",
      {},
    );
  await assert.rejects(verb(url), /its certificate is not trusted \(.*\): set NODE_EXTRA_CA_CERTS/);
  await assert.rejects(verb(clear), /is it https:\/\/\?/);
  assert.match(await said(t, { url, root: join(directory, "a"), env: trusting }), /node-tls has joined/);
  assert.equal(driver.nodes()[0]?.name, "node-tls");
});

/** What an agent says until it has joined or failed once; it is ended then. */
async function said(
  t: TestContext,
  { url, root, env = {} }: { url: string; root: string; env?: NodeJS.ProcessEnv },
): Promise<string> {
  const { NODE_EXTRA_CA_CERTS: _, ...own } = process.env;
  const [program = "", ...words] = [
    ...programWords(false),
    "--root",
    root,
    "cluster",
    "join",
    url,
    "--name",
    "node-tls",
  ];
  const child = spawn(program, words, {
    env: { ...own, ...env, TRANSHIP_JOIN_TOKEN: token },
    stdio: ["ignore", "ignore", "pipe"],
  });
  t.after(() => child.kill("SIGKILL"));
  let text = "";
  const ended = new Promise((resolve) => child.once("close", resolve));
  await new Promise<void>((resolve) => {
    child.stderr.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (/has joined|trying again/.test(text)) resolve();
    });
    child.once("close", () => resolve());
  });
  child.kill("SIGTERM");
  await ended;
  return text;
}
