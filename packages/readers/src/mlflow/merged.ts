/** An item with the place of its series among all. */
interface Head<Item> {
  item: Item;
  series: number;
}

/**
 * Items of several series, one after the other: each time the one of the lowest rank among the next of each series, of
 * equal ones that of the first series. n items of k series take n log k comparisons.
 */
export async function* merged<Item>(
  series: readonly AsyncIterator<Item, unknown>[],
  rankOf: (item: Item) => number,
): AsyncGenerator<Item> {
  const isBefore = (a: Head<Item>, b: Head<Item>) => {
    const [one, other] = [rankOf(a.item), rankOf(b.item)];
    return one < other || (one === other && a.series < b.series);
  };
  // A binary heap: an element comes before its children, which stand at 2i + 1 and 2i + 2.
  const heap: Head<Item>[] = [];
  for (const [at, each] of series.entries()) {
    const next = await each.next();
    if (!next.done) heap.push({ item: next.value, series: at });
  }
  for (let at = heap.length >> 1; at >= 0; at--) sink(heap, at, isBefore);
  for (let [first] = heap; first; [first] = heap) {
    yield first.item;
    const next = await series[first.series]?.next();
    if (next && !next.done) heap[0] = { item: next.value, series: first.series };
    else {
      const last = heap.pop();
      if (last && heap.length > 0) heap[0] = last;
    }
    sink(heap, 0, isBefore);
  }
}

/** Moves the element down to where it comes before its children. */
function sink<Element>(heap: Element[], from: number, isBefore: (a: Element, b: Element) => boolean): void {
  const moved = heap[from];
  if (moved === undefined) return;
  let at = from;
  for (;;) {
    const [left, right] = [2 * at + 1, 2 * at + 2];
    const [one, other] = [heap[left], heap[right]];
    if (one === undefined) break;
    const [child, lower] = other !== undefined && isBefore(other, one) ? [right, other] : [left, one];
    if (!isBefore(lower, moved)) break;
    heap[at] = lower;
    at = child;
  }
  heap[at] = moved;
}
