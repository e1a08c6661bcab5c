import type { StepEvent } from '@evenkeel/protocol';
import { describe, expect, it, vi } from 'vitest';
import type { Chart } from '../../trpc/client.tsx';
import { StepFeed, TAIL_LIMIT } from './feed.ts';

const RUN = '01890a5d-ac96-774b-bcce-b302099a8057';

/** The server's chart of the steps `first` to `last`, each with its own number as its loss. */
function chart(first: number, last: number): Chart {
  const steps = Array.from({ length: last - first + 1 }, (_, at) => first + at);
  const series = { mean: steps, min: null, max: null, nonFinite: steps.map(() => 0) };
  const all = { loss: series, tevMean: series, tevStd: series, gradVar: series, gradNorm: series, lr: series };
  const clock = { times: steps.map(() => 0), tokens: steps.map(() => null) };
  return { firstStep: first, lastStep: last, columnSteps: 1, steps, ...clock, series: all };
}

function steps(first: number, last: number): StepEvent[] {
  return Array.from({ length: last - first + 1 }, (_, at) => ({ step: first + at, time: 0, loss: first + at }));
}

function openFeed() {
  const frames: (() => void)[] = [];
  const feed = new StepFeed({ attempt: 1, schedule: (draw) => frames.push(draw), startedAt: 0 });
  const readAgain = vi.fn();
  feed.readAgain = readAgain;
  const receive = (first: number, last: number, attempt = 1) =>
    feed.receive({ run: RUN, attempt, steps: steps(first, last) });
  return { feed, frames, readAgain, receive };
}

const drawn = (feed: StepFeed) => feed.picture()?.chart.steps;

it('does not draw a streamed step far ahead of all others until further ones go on from it', () => {
  const { feed, receive } = openFeed();
  feed.load(chart(0, 50));
  receive(1_000_000, 1_000_000);
  receive(51, 52);
  expect(drawn(feed)?.slice(-2)).toEqual([51, 52]);
  expect(feed.view()).toEqual([0, 52]);
  receive(1_000_001, 1_000_002);
  expect(drawn(feed)?.slice(-2)).toEqual([1_000_001, 1_000_002]);
});

it('draws no streamed step that later ones fall back below, and reads the chart again where that may hold one', () => {
  const { feed, receive, readAgain } = openFeed();
  feed.load(chart(0, 999));
  receive(100_000, 100_000);
  receive(1_000, 1_003);
  expect(feed.view()).toEqual([0, 1_003]);
  expect(readAgain).not.toHaveBeenCalled();
  feed.load(chart(0, 1_001)); // the tail is kept in the order of its numbers
  expect(feed.view()).toEqual([0, 1_003]);
  const atWrongNumber = openFeed();
  atWrongNumber.feed.load({ ...chart(0, 999), lastStep: 100_000 });
  atWrongNumber.receive(1_000, 1_000);
  expect(atWrongNumber.readAgain).toHaveBeenCalledOnce();
});

it('knows which arrays a run lacks once they are read, until one streams in, and keeps that in every range', () => {
  const { feed } = openFeed();
  expect(feed.mayHave('tevQuantiles')).toBe(true);
  feed.load(chart(0, 50));
  feed.loadArray('tevQuantiles', { steps: [], values: [] });
  expect(feed.mayHave('tevQuantiles')).toBe(false);
  const tevQuantiles = [1, 2, 3, 4, 5, 6, 7, 8, 9];
  feed.receive({ run: RUN, attempt: 1, steps: [{ step: 51, time: 0, tevQuantiles }] });
  expect(feed.mayHave('tevQuantiles')).toBe(true);
  feed.show({ from: 0, to: 10 });
  feed.loadArray('tevQuantiles', { steps: [], values: [] });
  expect(feed.mayHave('tevQuantiles')).toBe(true);
});

describe('an evaluation that is logged after its step', () => {
  const evaluate = ({ feed }: ReturnType<typeof openFeed>, step: number) =>
    feed.receive({ run: RUN, attempt: 1, steps: [{ step, time: 0, custom: { evalLoss: 7 } }] });

  it('has the chart read again where the chart holds the step', () => {
    const opened = openFeed();
    opened.feed.load(chart(0, 2));
    evaluate(opened, 2);
    expect(opened.readAgain).toHaveBeenCalledTimes(1);
    opened.feed.asked();
    opened.feed.load(chart(0, 2));
    expect(opened.readAgain).toHaveBeenCalledTimes(1);
  });

  it('is merged with a step that streamed in, without reading anything', () => {
    const opened = openFeed();
    const none = { mean: [null, null, null], min: null, max: null, nonFinite: [0, 0, 0] };
    opened.feed.load({ ...chart(0, 2), series: { 'custom:evalLoss': none } });
    opened.receive(3, 3);
    evaluate(opened, 3);
    expect(opened.feed.picture()?.chart.series['custom:evalLoss']?.mean).toEqual([null, null, null, 7]);
    expect(opened.readAgain).not.toHaveBeenCalled();
  });

  it('has the chart read again where the chart may have been read before it', () => {
    const opened = openFeed();
    opened.feed.load(chart(0, 2));
    opened.receive(3, 3);
    opened.feed.asked();
    evaluate(opened, 3); // the answer holds step 3, and was read before this was stored
    expect(opened.readAgain).not.toHaveBeenCalled();
    opened.feed.load(chart(0, 3));
    expect(opened.readAgain).toHaveBeenCalledTimes(1);
  });

  it('may also come before the chart', () => {
    const opened = openFeed();
    opened.receive(3, 3);
    evaluate(opened, 3);
    opened.feed.load(chart(0, 3));
    expect(opened.readAgain).toHaveBeenCalledTimes(1);
  });

  it('is no matter to steps that come in order, not even behind one with a wrong number', () => {
    const opened = openFeed();
    opened.feed.load(chart(0, 50));
    opened.receive(1_000_000, 1_000_000);
    opened.receive(51, 52);
    opened.feed.load(chart(0, 52));
    expect(opened.readAgain).not.toHaveBeenCalled();
  });
});

describe('a feed', () => {
  it('joins the backlog to what streamed in while it was read: no hole, no double', () => {
    const { feed, receive } = openFeed();
    receive(3, 6);
    expect(feed.picture()).toBeNull();
    feed.load(chart(0, 4));
    expect(drawn(feed)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    receive(7, 7);
    expect(drawn(feed)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('has no hole after a lost connection once the chart is read again', () => {
    const { feed, receive } = openFeed();
    feed.load(chart(0, 4));
    receive(5, 5);
    receive(9, 9); // 6 to 8 went by while it was away
    feed.load(chart(0, 8));
    expect(drawn(feed)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('cuts what a rewound attempt supersedes and asks for the chart', () => {
    const { feed, receive, readAgain } = openFeed();
    feed.load(chart(0, 9));
    receive(10, 12);
    receive(6, 7, 2);
    expect(drawn(feed)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(readAgain).toHaveBeenCalledTimes(1);
    receive(13, 14, 1); // a ghost of the first attempt
    expect(drawn(feed)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('asks for the chart when much has streamed in, and holds little even if it never comes', () => {
    const { feed, receive, readAgain } = openFeed();
    feed.load(chart(0, 0));
    for (let at = 1; at < 50 * TAIL_LIMIT; at += 100) receive(at, at + 99);
    expect(readAgain).toHaveBeenCalled();
    expect(drawn(feed)?.length).toBeLessThanOrEqual(4 * TAIL_LIMIT + 1);
    feed.load(chart(0, 50 * TAIL_LIMIT));
    expect(drawn(feed)).toHaveLength(50 * TAIL_LIMIT + 1);
  });

  it('draws once a frame, however much came', () => {
    const { feed, frames, receive } = openFeed();
    const draw = vi.fn();
    feed.subscribe(draw);
    feed.load(chart(0, 4));
    for (let at = 5; at < 50; at++) receive(at, at);
    expect(frames).toHaveLength(1);
    frames[0]?.();
    expect(draw).toHaveBeenCalledTimes(1);
    receive(50, 50);
    expect(frames).toHaveLength(2);
  });

  it('draws new steps one chart a frame in turn, and a new view everywhere at once', () => {
    const { feed, frames, receive } = openFeed();
    const drawn: string[] = [];
    for (const name of ['a', 'b', 'c']) feed.subscribe(() => drawn.push(name));
    const frame = () => frames.shift()?.();
    receive(1, 1);
    frame();
    receive(2, 2);
    frame();
    frame();
    frame();
    expect(drawn).toEqual(['a', 'b', 'c', 'a']);
    feed.show({ from: 1 });
    frame();
    expect(drawn.slice(4).sort()).toEqual(['a', 'b', 'c']);
    expect(frames).toHaveLength(0);
  });

  it('draws what is read again one chart a frame in turn, and what is read for a new view everywhere at once', () => {
    const { feed, frames } = openFeed();
    let drawn = 0;
    for (let listener = 0; listener < 3; listener++) feed.subscribe(() => drawn++);
    const frame = () => {
      const before = drawn;
      frames.shift()?.();
      return drawn - before;
    };
    feed.load(chart(0, 9));
    expect(frame()).toBe(3);
    feed.load(chart(0, 9));
    expect([frame(), frame(), frame()]).toEqual([1, 1, 1]);
    feed.show({ from: 5 });
    expect(frame()).toBe(3);
    feed.load(chart(5, 9));
    expect(frame()).toBe(3);
  });

  it('shows the range asked for, and follows the run where it is open', () => {
    const { feed, receive } = openFeed();
    feed.load(chart(0, 9));
    expect(feed.view()).toEqual([0, 9]);
    feed.show({ from: 5 });
    receive(10, 12);
    expect(feed.view()).toEqual([5, 12]);
    feed.show({ from: 2, to: 2 });
    expect(feed.view()).toEqual([2, 3]);
  });

  it('follows a run whose steps are negative', () => {
    const { feed, receive } = openFeed();
    feed.load(chart(-9, -7));
    receive(-6, -5);
    expect(feed.view()).toEqual([-9, -5]);
    feed.show({ from: -7 });
    expect(feed.view()).toEqual([-7, -5]);
  });

  it('reports once a custom scalar that it did not know', () => {
    const { feed } = openFeed();
    const found = vi.fn();
    feed.foundSeries = found;
    const send = (custom?: Record<string, number>) =>
      feed.receive({ run: RUN, attempt: 1, steps: [{ step: 1, time: 0, custom }] });
    send();
    expect(found).not.toHaveBeenCalled();
    send({ speed: 1 });
    send({ speed: 2 });
    send({ speed: 2, other: 1 });
    expect(found.mock.calls).toEqual([[['custom:speed']], [['custom:other']]]);
  });

  it('reports once a field charted where reported that its chart lacks', () => {
    const { feed } = openFeed();
    const found = vi.fn();
    feed.foundSeries = found;
    feed.load(chart(0, 0));
    for (const step of [1, 2]) feed.receive({ run: RUN, attempt: 1, steps: [{ step, time: 0, loss: 1, lrAhead: 1 }] });
    expect(found.mock.calls).toEqual([[['lrAhead']]]);
  });

  it('knows the custom scalars of its chart', () => {
    const { feed } = openFeed();
    const found = vi.fn();
    feed.foundSeries = found;
    const speed = { mean: [1], min: null, max: null, nonFinite: [0] };
    feed.load({ ...chart(0, 0), series: { 'custom:speed': speed } });
    feed.receive({ run: RUN, attempt: 1, steps: [{ step: 1, time: 0, custom: { speed: 1 } }] });
    expect(found).not.toHaveBeenCalled();
  });
});
