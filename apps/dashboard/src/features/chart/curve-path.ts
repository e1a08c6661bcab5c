type Point = readonly [x: number, y: number];
/** Where a value stands in a sketch, in its whole units from the top left; null breaks a line, undefined does not. */
export type Place = Point | null | undefined;

/** A line through places as the data of an SVG path; a place alone is a line of no length. */
export function linePath(places: readonly Place[]): string {
  return unbroken(places)
    .map((points) => outline(points) + (points.length === 1 ? 'h0' : ''))
    .join('');
}

/** What lies between two lines whose places are in the same columns. */
export function bandPath(one: readonly Place[], other: readonly Place[]): string {
  const pairs = one.map((place, column) => place && pairOf(place, other[column]));
  return unbroken(pairs)
    .map(
      (stretch) => `${outline([...stretch.map(([there]) => there), ...stretch.toReversed().map(([, back]) => back)])}z`,
    )
    .join('');
}

function pairOf(place: Point, other: Place): readonly [Point, Point] | null | undefined {
  return other && [place, other];
}

/** The stretches between what is null. */
function unbroken<Item>(items: readonly (Item | null | undefined)[]): Item[][] {
  const stretches: Item[][] = [[]];
  for (const item of items) {
    if (item === null) stretches.push([]);
    else if (item !== undefined) stretches.at(-1)?.push(item);
  }
  return stretches.filter(({ length }) => length > 0);
}

/** Through points, each relative to the one before it, which takes half the bytes. */
function outline(points: readonly Point[]): string {
  const moves = points.map(([x, y], at) => {
    const [fromX, fromY] = points[at - 1] ?? [0, 0];
    return `${at === 0 ? 'M' : 'l'}${x - fromX} ${y - fromY}`;
  });
  return moves.join('');
}
