// Run inside a network namespace: asks a server for pages. stdin: {"port":N,"asked":[{"path":"/","form":"a=b"}]}; stdout: their
// status and body (base64), in order.
import { text } from "node:stream/consumers";
import { fetchPage, waitForAnswer } from "../../src/cli/demo/pages.ts";

interface Order {
  port: number;
  asked: { path: string; form?: string }[];
}

const { port, asked } = JSON.parse(await text(process.stdin)) as Order;
await waitForAnswer(port, new AbortController().signal);
const answers: { status: number; body: string }[] = [];
for (const one of asked) {
  const { status, body } = await fetchPage({ port, ...one });
  answers.push({ status, body: body.toString("base64") });
}
process.stdout.write(JSON.stringify(answers));
