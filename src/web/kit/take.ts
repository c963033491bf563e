/** The first entries of a list, without loading what is behind them. */
export async function take<Entry>(list: AsyncIterable<Entry>, most: number): Promise<Entry[]> {
  const taken: Entry[] = [];
  if (most <= 0) return taken;
  for await (const entry of list) {
    taken.push(entry);
    if (taken.length >= most) break;
  }
  return taken;
}
