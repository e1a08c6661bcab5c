import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GradientVariance, type ParameterTensor } from './gradient-variance.ts';

const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);

/** The definition, with all gradients in memory: each parameter's unbiased variance, summed. */
function reference(tensors: ParameterTensor[], gradients: Float32Array[][]) {
  const parameters = tensors.flatMap(({ layer, size }, tensor) =>
    Array.from({ length: size }, (_, at) => {
      const values = gradients.map((gradient) => gradient[tensor]?.[at] ?? Number.NaN);
      const mean = sum(values) / values.length;
      return { layer, mean, variance: sum(values.map((value) => (value - mean) ** 2)) / (values.length - 1) };
    }),
  );
  const layers = Math.max(...tensors.map(({ layer }) => layer)) + 1;
  return {
    gradVar: sum(parameters.map(({ variance }) => variance)),
    layerGradVar: Array.from({ length: layers }, (_, layer) =>
      sum(parameters.filter((parameter) => parameter.layer === layer).map(({ variance }) => variance)),
    ),
    gradNorm: Math.sqrt(sum(parameters.map(({ mean }) => mean ** 2))),
  };
}

function expectClose(actual: number | null | undefined, expected: number): void {
  expect(Math.abs((actual ?? Number.NaN) - expected)).toBeLessThanOrEqual(1e-10 * (1 + Math.abs(expected)));
}

const tensors = fc.array(fc.record({ layer: fc.integer({ min: 0, max: 4 }), size: fc.integer({ min: 0, max: 9 }) }), {
  minLength: 1,
  maxLength: 8,
});
const float = fc.float({ noNaN: true, noDefaultInfinity: true, min: -100, max: 100 });
const step = tensors.chain((shape) => {
  const gradient = fc.tuple(
    ...shape.map(({ size }) => fc.float32Array({ minLength: size, maxLength: size, noNaN: true, min: -100, max: 100 })),
  );
  return fc.tuple(fc.constant(shape), fc.array(gradient, { minLength: 2, maxLength: 7 }));
});

describe('GradientVariance', () => {
  test('of gradients worked out by hand', () => {
    const variance = new GradientVariance([
      { layer: 0, size: 2 },
      { layer: 1, size: 1 },
    ]);
    variance.add([Float32Array.of(1, 4), Float32Array.of(0)]);
    variance.add([Float32Array.of(3, 4), Float32Array.of(-6)]);
    // means (2, 4), (-3); variances with K - 1 = 1: (2, 0), (18)
    expect(variance.result()).toEqual({ gradVar: 20, layerGradVar: [2, 18], gradNorm: Math.sqrt(4 + 16 + 9) });
    expect(variance.mean).toEqual([Float64Array.of(2, 4), Float64Array.of(-3)]);
  });

  test('is what the definition says', () => {
    fc.assert(
      fc.property(step, ([shape, gradients]) => {
        const variance = new GradientVariance(shape);
        for (const gradient of gradients) variance.add(gradient);
        const result = variance.result();
        const expected = reference(shape, gradients);
        expectClose(result.gradVar, expected.gradVar);
        expectClose(result.gradNorm, expected.gradNorm);
        expect(result.layerGradVar).toHaveLength(expected.layerGradVar.length);
        for (const [layer, value] of expected.layerGradVar.entries()) expectClose(result.layerGradVar?.[layer], value);
      }),
    );
  });

  test('does not cancel where the noise is small beside the mean', () => {
    const variance = new GradientVariance([{ layer: 0, size: 1 }]);
    const ulp = 2 ** -10; // of float32 at 8192 to 16384
    for (const times of [0, 1, 2]) variance.add([Float32Array.of(10_000 + times * ulp)]);
    expect(variance.result().gradVar).toBeCloseTo(ulp ** 2, 15);
  });

  test('one micro-batch has a norm and no variance, none has neither', () => {
    const variance = new GradientVariance([{ layer: 0, size: 2 }]);
    expect(variance.result()).toEqual({ gradVar: null, layerGradVar: null, gradNorm: null });
    variance.add([Float32Array.of(3, 4)]);
    expect(variance.result()).toEqual({ gradVar: null, layerGradVar: null, gradNorm: 5 });
  });

  test('after a reset it knows nothing of the step before', () => {
    const one = fc.array(fc.float32Array({ minLength: 3, maxLength: 3, noNaN: true, min: -9, max: 9 }), {
      minLength: 2,
      maxLength: 4,
    });
    fc.assert(
      fc.property(one, one, (before, after) => {
        const used = new GradientVariance([{ layer: 0, size: 3 }]);
        for (const gradient of before) used.add([gradient]);
        used.reset();
        const fresh = new GradientVariance([{ layer: 0, size: 3 }]);
        for (const gradient of after) {
          used.add([gradient]);
          fresh.add([gradient]);
        }
        expect(used.result()).toEqual(fresh.result());
      }),
    );
  });

  test('a gradient that is not finite shows in its layer and in the totals, not in the other layers', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
        float,
        (bad, good) => {
          const variance = new GradientVariance([
            { layer: 0, size: 1 },
            { layer: 1, size: 1 },
          ]);
          variance.add([Float32Array.of(good), Float32Array.of(0)]);
          variance.add([Float32Array.of(good), Float32Array.of(bad)]);
          const { gradVar, layerGradVar, gradNorm } = variance.result();
          expect(layerGradVar?.[0]).toBe(0);
          expect([gradVar, gradNorm, layerGradVar?.[1]].some(Number.isFinite)).toBe(false);
        },
      ),
    );
  });

  test('takes nothing of a gradient of another shape', () => {
    const variance = new GradientVariance([
      { layer: 0, size: 1 },
      { layer: 0, size: 2 },
    ]);
    expect(() => variance.add([Float32Array.of(1)])).toThrow(RangeError);
    expect(() => variance.add([Float32Array.of(1), Float32Array.of(1)])).toThrow(RangeError);
    expect(() => variance.add([Float32Array.of(1), Float32Array.of(1, 2), Float32Array.of(1)])).toThrow(RangeError);
    expect(variance.result().gradNorm).toBeNull();
    expect(variance.mean).toEqual([Float64Array.of(0), Float64Array.of(0, 0)]);
  });
});
