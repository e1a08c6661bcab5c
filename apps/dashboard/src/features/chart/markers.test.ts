import { readFileSync } from 'node:fs';
import type { Alert } from '@evenkeel/protocol';
import type uPlot from 'uplot';
import { expect, test, vi } from 'vitest';

const GLOBALS = readFileSync(new URL('../../app/globals.css', import.meta.url), 'utf8');

/** Variables of a color scheme, from the style sheet. */
function variablesOf(scheme: 'light' | 'dark'): Map<string, string> {
  const block = GLOBALS.split(`="${scheme}"]`)[1]?.split('}')[0] ?? '';
  return new Map([...block.matchAll(/(--[\w-]+): ([^;]+);/g)].map(([, name = '', value = '']) => [name, value]));
}

/** Relative luminance, of WCAG 2. */
function luminance(hex: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [light = 0, dark = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

test.each(['light', 'dark'] as const)(
  'names of alerts on a %s chart can be read, of resolved ones too',
  async (scheme) => {
    const variables = variablesOf(scheme);
    vi.resetModules();
    const { drawAlerts: draw } = await import('./markers.ts');
    vi.stubGlobal('document', { documentElement: null });
    vi.stubGlobal('devicePixelRatio', 1);
    vi.stubGlobal('getComputedStyle', () => ({ getPropertyValue: (name: string) => variables.get(name) }));
    const written: { fillStyle: string; globalAlpha: number }[] = [];
    const ctx = {
      fillStyle: '',
      globalAlpha: 1,
      measureText: () => ({ width: 60 }),
      fillText: () => written.push({ fillStyle: ctx.fillStyle, globalAlpha: ctx.globalAlpha }),
    };
    for (const verb of [
      'save',
      'restore',
      'beginPath',
      'rect',
      'clip',
      'moveTo',
      'lineTo',
      'stroke',
      'setLineDash',
      'strokeText',
    ])
      Object.assign(ctx, { [verb]: () => {} });
    const plot = { ctx, bbox: { left: 0, top: 0, width: 400, height: 200 }, valToPos: (step: number) => step };
    const alerts = (['warning', 'critical'] as const).flatMap((severity) =>
      (['open', 'resolved'] as const).map((status) => ({ rule: 'loss-spike', severity, status, step: 5 })),
    );
    draw(plot as unknown as uPlot, alerts as Alert[], 'loss');
    vi.unstubAllGlobals();
    expect(written).toHaveLength(alerts.length);
    for (const { fillStyle, globalAlpha } of written) {
      expect(globalAlpha).toBe(1);
      expect(contrast(fillStyle, variables.get('--ek-surface') ?? '')).toBeGreaterThanOrEqual(4.5);
    }
  },
);
