// Lines of many in the order in which they come. Each is asked for one line at a time, so that a slow reader holds all of them up.

type Come<T> = { from: AsyncGenerator<T> } & (
  | { result: IteratorResult<T>; error?: never }
  | { result?: never; error: unknown }
);

/** undefined where nothing came for so many milliseconds. Rejects with the first that does; whoever leaves ends them all. */
export async function* asTheyCome<T>(
  sources: readonly AsyncGenerator<T>[],
  idle: number,
): AsyncGenerator<T | undefined> {
  const come: Come<T>[] = [];
  let wake = (): void => {};
  // Not by Promise.race: what a quiet one is waited for by would grow with each line of the others.
  const ask = (from: AsyncGenerator<T>): void => {
    const take = (one: Come<T>): void => {
      come.push(one);
      wake();
    };
    from.next().then(
      (result) => take({ from, result }),
      (error: unknown) => take({ from, error }),
    );
  };
  for (const each of sources) ask(each);
  try {
    for (let open = sources.length; open > 0; ) {
      const next = come.shift();
      if (next === undefined) {
        const heard = await new Promise<boolean>((resolve) => {
          const timer = setTimeout(resolve, idle, false);
          wake = () => {
            clearTimeout(timer);
            resolve(true);
          };
        });
        if (!heard) yield undefined;
      } else if (next.result === undefined) throw next.error;
      else if (next.result.done) open--;
      else {
        ask(next.from);
        yield next.result.value;
      }
    }
  } finally {
    // Not awaited: one that waits for a line ends with its stream.
    for (const each of sources) void each.return(undefined).catch(() => {});
  }
}
