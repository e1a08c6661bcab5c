import type { TopLevelSpec } from 'vega-lite';

export type { TopLevelSpec };

/** Draws a Vega-Lite specification as SVG. Vega is loaded at the first call, since it takes a while. */
export async function draw(spec: TopLevelSpec): Promise<string> {
  const [{ parse, View }, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
  const view = new View(parse(compile(spec).spec), { renderer: 'none' });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}
