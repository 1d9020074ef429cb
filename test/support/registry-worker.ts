// Pushes or pulls in a process of its own, which a test may kill: `node registry-worker.ts push|pull ROOT REF [DESTINATION]`. Prints the digest.
import { isTranshipError } from "../../src/base/errors.ts";
import { openStateRoot } from "../../src/host/state-root.ts";
import { repairWork } from "../../src/host/work.ts";
import { pullImage } from "../../src/image/registry/pull.ts";
import { pushImage } from "../../src/image/registry/push.ts";
import { openStore } from "../../src/image/store.ts";

const [verb, path = "", reference = "", destination] = process.argv.slice(2);
const nothing = (): void => {};
const settings = { plainHttp: true, retries: 3, retryDelay: 10 };
try {
  const root = openStateRoot(path);
  repairWork(root, { debug: nothing, info: nothing, warn: nothing, error: nothing });
  const store = openStore(root);
  const done =
    verb === "push"
      ? await pushImage(store, reference, destination, settings)
      : await pullImage(store, reference, settings);
  console.log(done.digest);
} catch (error) {
  if (!isTranshipError(error)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
}
