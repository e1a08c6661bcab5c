import { startRun } from '@evenkeel/emit';
import { median } from '@evenkeel/stability';
import type { Browser, CDPSession, Page } from 'playwright-core';

const ROUNDS = 5;
const LOSS = '[aria-label="Loss by step"]';
const VIEWPORT = { width: 1280, height: 900 };

/** Milliseconds, the median of some rounds, each in a tab of its own. */
async function medianTime(browser: Browser, measure: (page: Page) => Promise<number>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const page = await browser.newPage({ viewport: VIEWPORT });
    times.push(await measure(page));
    await page.close();
  }
  return median(times);
}

/** From navigation until the board shows its rows. */
export function boardTime(browser: Browser, url: string): Promise<number> {
  return medianTime(browser, async (page) => {
    const began = performance.now();
    await page.goto(url, { waitUntil: 'commit' });
    await page.locator('[data-run]').first().waitFor();
    return performance.now() - began;
  });
}

/** From a click on the run's name on the board until its charts in the window are drawn. */
export function clickToChartTime(browser: Browser, boardUrl: string, name: string): Promise<number> {
  return medianTime(browser, async (page) => {
    await page.goto(`${boardUrl}/?q=${encodeURIComponent(name)}`);
    const link = page.getByRole('link', { name, exact: true });
    await link.waitFor();
    await page.waitForLoadState('networkidle');
    const began = performance.now();
    await link.click();
    await page.waitForFunction(isDrawn, undefined, { polling: 'raf' });
    return performance.now() - began;
  });
}

/** From navigation in a new tab, with nothing cached, until the run's charts in the window are seen. */
export function firstChartTime(browser: Browser, url: string): Promise<number> {
  return medianTime(browser, async (page) => {
    await page.addInitScript(noteFirstCharts);
    await page.goto(url, { waitUntil: 'commit' });
    const seen = await page.waitForFunction(firstCharts, undefined, { polling: 100 });
    return (await seen.jsonValue()) as number;
  });
}

/** The same until they are drawn by scripts, and so answer to the mouse and move. */
export function liveChartTime(browser: Browser, url: string): Promise<number> {
  return medianTime(browser, (page) => openRun(page, url));
}

async function openRun(page: Page, url: string): Promise<number> {
  const began = performance.now();
  await page.goto(url, { waitUntil: 'commit' });
  await page.waitForFunction(isDrawn, undefined, { polling: 'raf' });
  return performance.now() - began;
}

/** From the end of a drag across a chart until the part that it chose is read and drawn. */
export function zoomTime(browser: Browser, url: string): Promise<number> {
  return medianTime(browser, async (page) => {
    await openRun(page, url);
    await page.waitForLoadState('networkidle');
    const box = await page.locator(`${LOSS} .u-over`).boundingBox();
    if (!box) throw new Error('the chart of the loss is not there');
    await page.mouse.move(box.x + 0.6 * box.width, box.y + 50);
    await page.mouse.down();
    await page.mouse.move(box.x + 0.7 * box.width, box.y + 60, { steps: 4 });
    const first = await page.locator(LOSS).getAttribute('aria-valuemin');
    const began = performance.now();
    await page.mouse.up();
    await page.waitForFunction(beginsAfter, [LOSS, Number(first)] as const, { polling: 'raf' });
    return performance.now() - began;
  });
}

/** The limit: to draw the same points from memory, in every chart of the page. */
export function memoryDrawTime(browser: Browser, charts: readonly (readonly (number | null)[])[]): Promise<number> {
  return medianTime(browser, (page) => page.evaluate(drawFromMemory, charts));
}

/** Bytes that came for a page until nothing more did. */
export async function pageBytes(browser: Browser, url: string): Promise<number> {
  const page = await browser.newPage({ viewport: VIEWPORT });
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  let bytes = 0;
  session.on('Network.loadingFinished', ({ encodedDataLength }) => {
    bytes += encodedDataLength;
  });
  await page.goto(url);
  await page.waitForLoadState('networkidle');
  await page.close();
  return bytes;
}

export interface Smoothness {
  /** Frames a second. */
  frames: number;
  /** The longest task of the main thread, in milliseconds; 0 where none was as long as 50. */
  longestTask: number;
  /** Bytes a second on the live connection. */
  liveBytes: number;
  /** What the heap gained, in bytes a second, after a collection at either end. */
  heapGrowth: number;
}

/** Smoothness of a zoomed run page while runs stream. */
export async function smoothness(
  browser: Browser,
  server: string,
  load: { runs: number; stepsPerSecond: number; seconds: number },
): Promise<Smoothness> {
  const runs = await Promise.all(
    Array.from({ length: load.runs }, (_, at) => startRun({ server, project: 'live', name: `live ${at}` })),
  );
  let step = 0;
  const stream = setInterval(() => {
    for (const run of runs)
      run.log({ step, loss: 2 + Math.sin(step / 50), tevMean: 0.1, gradVar: 1, gradNorm: 1, lr: 1e-3 });
    step += 1;
  }, 1_000 / load.stepsPerSecond);
  try {
    await runs[0]?.drained();
    const page = await browser.newPage({ viewport: VIEWPORT });
    const session = await page.context().newCDPSession(page);
    await openRun(page, `${server}/runs/${runs[0]?.id}?from=10`);
    return await watch(page, session, load.seconds);
  } finally {
    clearInterval(stream);
    await Promise.all(runs.map((run) => run.finish()));
  }
}

async function watch(page: Page, session: CDPSession, seconds: number): Promise<Smoothness> {
  await session.send('Network.enable');
  let liveBytes = 0;
  session.on('Network.webSocketFrameReceived', ({ response }) => {
    liveBytes += response.payloadData.length;
  });
  const before = await heapOf(session);
  liveBytes = 0;
  const { frames, longestTask } = await page.evaluate(countFrames, 1_000 * seconds);
  const heapGrowth = ((await heapOf(session)) - before) / seconds;
  return { frames: frames / seconds, longestTask, liveBytes: liveBytes / seconds, heapGrowth };
}

async function heapOf(session: CDPSession): Promise<number> {
  await session.send('HeapProfiler.collectGarbage');
  return (await session.send('Runtime.getHeapUsage')).usedSize;
}

// What follows runs in the page.

/** Marks the frame after the first in which every chart in the window is drawn, be it by the server. */
function noteFirstCharts(): void {
  const look = () => {
    const charts = [...document.querySelectorAll('[role="slider"]')].filter(
      (chart) => chart.getBoundingClientRect().top < innerHeight,
    );
    const hasInk = (chart: Element) =>
      chart.querySelector('svg path') ?? (chart.getAttribute('aria-valuemax') !== '0' && chart.querySelector('canvas'));
    const areDrawn = charts.length > 3 && charts.every(hasInk);
    requestAnimationFrame(areDrawn ? () => performance.mark('charts seen') : look);
  };
  requestAnimationFrame(look);
}

/** When those charts were seen, in milliseconds since the navigation: not before the page's first paint. */
function firstCharts(): number | null {
  const [painted] = performance.getEntriesByName('first-contentful-paint');
  const [seen] = performance.getEntriesByName('charts seen');
  return painted && seen ? Math.max(painted.startTime, seen.startTime) : null;
}

/** Whether every chart that is in the window has been drawn by scripts. */
function isDrawn(): boolean {
  const isInWindow = (element: Element) => element.getBoundingClientRect().top < innerHeight;
  const hasInk = (canvas: HTMLCanvasElement) => {
    const context = canvas.width > 0 ? canvas.getContext('2d') : null;
    return context?.getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean) ?? false;
  };
  const charts = [...document.querySelectorAll('[role="slider"]')].filter(isInWindow);
  const canvases = [...document.querySelectorAll('canvas')].filter(isInWindow);
  return charts.length > 3 && charts.every((chart) => chart.querySelector('canvas')) && canvases.every(hasInk);
}

/** Whether a chart draws what was read for its view: until then it holds the steps of the view before. */
function beginsAfter([chart, step]: readonly [string, number]): boolean {
  return Number(document.querySelector(chart)?.getAttribute('aria-valuemin')) > step;
}

function drawFromMemory(charts: readonly (readonly (number | null)[])[]): number {
  const began = performance.now();
  for (const values of charts) {
    const canvas = document.createElement('canvas');
    canvas.width = 620;
    canvas.height = 220;
    const context = canvas.getContext('2d') as CanvasRenderingContext2D;
    const finite = values.filter((value) => value !== null);
    const [low, high] = [Math.min(...finite), Math.max(...finite)];
    context.beginPath();
    values.forEach((value, at) => {
      const y = 220 * (1 - ((value ?? low) - low) / (high - low || 1));
      context.lineTo((620 * at) / values.length, y);
    });
    context.stroke();
    context.getImageData(0, 0, 1, 1); // until then a canvas may only have noted what to draw
  }
  return performance.now() - began;
}

function countFrames(milliseconds: number): Promise<{ frames: number; longestTask: number }> {
  return new Promise((resolve) => {
    let [frames, longestTask] = [0, 0];
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) longestTask = Math.max(longestTask, duration);
    }).observe({ type: 'longtask' });
    const until = performance.now() + milliseconds;
    const frame = () => {
      frames += 1;
      if (performance.now() < until) requestAnimationFrame(frame);
      else resolve({ frames, longestTask });
    };
    requestAnimationFrame(frame);
  });
}
