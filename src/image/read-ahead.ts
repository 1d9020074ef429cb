// Starts reading the content of the next items while the current one is used.
import type { LayerData, LayerItem } from "./layer-item.ts";

/** Items in hand beyond the current one. A source may keep a process per open file, so it is small. */
const depth = 1;

interface Started {
  item: LayerItem;
  iterator: AsyncIterator<LayerData> | undefined;
}

/** The same items in the same order; the content of those that `wants` says yes to (asked once each, in order) is begun early. */
export async function* readAhead(
  items: AsyncIterable<LayerItem> | Iterable<LayerItem>,
  wants: (item: LayerItem) => boolean,
): AsyncGenerator<LayerItem, void, void> {
  // The first of the queue is the one in use: it stays until the caller comes back for the next.
  const queue: Started[] = [];
  try {
    for await (const item of items) {
      const data = wants(item) ? item.data : undefined;
      queue.push(data === undefined ? { item, iterator: undefined } : start(item, data));
      if (queue.length <= depth || queue[0] === undefined) continue;
      yield queue[0].item;
      queue.shift();
    }
    for (; queue[0] !== undefined; queue.shift()) yield queue[0].item;
  } finally {
    for (const { iterator } of queue) await iterator?.return?.();
  }
}

function start(item: LayerItem, data: AsyncIterable<LayerData>): Started {
  const iterator = data[Symbol.asyncIterator]();
  const first = iterator.next();
  first.catch(() => {}); // it is awaited when the item's turn comes
  return { item: { ...item, data: resumed(first, iterator) }, iterator };
}

async function* resumed(
  first: Promise<IteratorResult<LayerData>>,
  iterator: AsyncIterator<LayerData>,
): AsyncGenerator<LayerData, void, void> {
  try {
    for (let result = await first; result.done !== true; result = await iterator.next()) yield result.value;
  } finally {
    await iterator.return?.();
  }
}
