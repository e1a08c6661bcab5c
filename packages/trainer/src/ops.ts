import * as tf from '@tensorflow/tfjs';

// The operations of the model, with gradients of their own. Automatic gradients are right too, but need more and slower
// operations: on the wasm backend, sums over the first axis are scalar loops, so here they are products with a row of
// ones.
//
// Shapes: N rows (batch · time), V vocabulary, G attention groups (batch · heads), T time, h dimension of a head.

/** Added to a variance, or a mean square, before its root. */
const NORM_EPSILON = 1e-5;
/** Far below any score, but finite: infinity would turn the masked part of a product into NaN. */
const MASKED = -1e9;

/** The rows `ids` of a table. table [V, d], ids [N] → [N, d] */
export function embed(table: tf.Tensor2D, ids: tf.Tensor1D): tf.Tensor2D {
  return differentiable([table], () => ({
    value: tf.gather(table, ids), // [N, d]
    saved: [ids],
    backward: (dy, [ids]) => [tf.unsortedSegmentSum(dy, ids, table.shape[0])], // [V, d]
  }));
}

/** x · w + b. x [N, in], w [in, out], b [out] → [N, out] */
export function linear(x: tf.Tensor2D, w: tf.Tensor2D, b: tf.Tensor1D): tf.Tensor2D {
  return differentiable([x, w, b], () => ({
    value: tf.add(tf.matMul(x, w), b), // [N, out]
    saved: [x, w],
    backward: (dy, [x, w]) => [...productGradients(dy, x, w), columnSums(dy)], // [N, in], [in, out], [out]
  }));
}

/** x · w. x [N, in], w [in, out] → [N, out] */
export function product(x: tf.Tensor2D, w: tf.Tensor2D): tf.Tensor2D {
  return differentiable([x, w], () => ({
    value: tf.matMul(x, w), // [N, out]
    saved: [x, w],
    backward: (dy, [x, w]) => productGradients(dy, x, w), // [N, in], [in, out]
  }));
}

function productGradients(dy: tf.Tensor2D, x: tf.Tensor2D, w: tf.Tensor2D): tf.Tensor2D[] {
  return [
    tf.matMul(dy, w, false, true), // [N, in]
    tf.matMul(x, dy, true), // [in, out]
  ];
}

/**
 * (γ / σ) · W with the spectral norm σ = u · W · v, whose directions u and v count as constants (Miyato et al.,
 * arXiv 1802.05957, equation 10; Zhai et al., arXiv 2303.06296, equation 2). w [in, out], γ [1], u [1, in], v [out, 1]
 */
export function spectrallyScaled(w: tf.Tensor2D, gamma: tf.Tensor1D, u: tf.Tensor2D, v: tf.Tensor2D): tf.Tensor2D {
  return differentiable([w, gamma], () => {
    const sigma = tf.reshape(tf.matMul(tf.matMul(u, w), v), [1]); // [1]
    const scale = tf.div(gamma, sigma); // [1]
    return {
      value: tf.mul(w, scale) as tf.Tensor2D, // [in, out]
      saved: [w, sigma, scale, u, v],
      backward: (dy, [w, sigma, scale, u, v]) => {
        const alongScale = tf.div(tf.sum(tf.mul(dy, w)), sigma); // [1]
        const direction = tf.mul(tf.reshape(u, [-1, 1]), tf.reshape(v, [1, -1])); // dσ/dW [in, out]
        return [tf.mul(tf.sub(dy, tf.mul(direction, alongScale)), scale), alongScale]; // [in, out], [1]
      },
    };
  });
}

/** x · wᵀ: scores every row of w, as a tied head does. x [N, d], w [V, d] → [N, V] */
export function project(x: tf.Tensor2D, w: tf.Tensor2D): tf.Tensor2D {
  return differentiable([x, w], () => ({
    value: tf.matMul(x, w, false, true), // [N, V]
    saved: [x, w],
    backward: (dy, [x, w]) => [
      tf.matMul(dy, w), // [N, d]
      tf.matMul(dy, x, true), // [V, d]
    ],
  }));
}

/** Layer normalization over the last axis (arXiv 1607.06450). x [N, d], gain [d], bias [d] → [N, d] */
export function layerNorm(x: tf.Tensor2D, gain: tf.Tensor1D, bias: tf.Tensor1D): tf.Tensor2D {
  return differentiable([x, gain, bias], () => {
    const centered = tf.sub(x, rowMeans(x)); // [N, d]
    const inverseStd = tf.rsqrt(tf.add(rowMeans(tf.square(centered)), NORM_EPSILON)); // [N, 1]
    const normal = tf.mul(centered, inverseStd) as tf.Tensor2D; // [N, d]
    return {
      value: tf.add(tf.mul(normal, gain), bias), // [N, d]
      saved: [normal, inverseStd, gain],
      backward: (dy, [normal, inverseStd, gain]) => {
        const dn = tf.mul(dy, gain) as tf.Tensor2D; // [N, d]
        const alongNormal = tf.mul(normal, rowMeans(tf.mul(dn, normal))); // [N, d]
        return [
          tf.mul(tf.sub(tf.sub(dn, rowMeans(dn)), alongNormal), inverseStd), // [N, d]
          columnSums(tf.mul(dy, normal)), // [d]
          columnSums(dy), // [d]
        ];
      },
    };
  });
}

/** Root-mean-square normalization over the last axis (arXiv 1910.07467). x [N, d], gain [d] → [N, d] */
export function rmsNorm(x: tf.Tensor2D, gain: tf.Tensor1D): tf.Tensor2D {
  return differentiable([x, gain], () => {
    const inverseRms = tf.rsqrt(tf.add(rowMeans(tf.square(x)), NORM_EPSILON)); // [N, 1]
    const normal = tf.mul(x, inverseRms) as tf.Tensor2D; // [N, d]
    return {
      value: tf.mul(normal, gain) as tf.Tensor2D, // [N, d]
      saved: [normal, inverseRms, gain],
      backward: (dy, [normal, inverseRms, gain]) => {
        const dn = tf.mul(dy, gain); // [N, d]
        const alongNormal = tf.mul(normal, rowMeans(tf.mul(dn, normal))); // [N, d]
        return [
          tf.mul(tf.sub(dn, alongNormal), inverseRms), // [N, d]
          columnSums(tf.mul(dy, normal)), // [d]
        ];
      },
    };
  });
}

// GELU by its tanh form (arXiv 1606.08415, section 2), which GPT-2 uses: ½ x (1 + tanh u) = x · σ(2u) with
// u = √(2/π) (x + 0.044715 x³). The wasm backend has a fast sigmoid and a slow tanh.
const GELU_SLOPE = 2 * Math.sqrt(2 / Math.PI);
const GELU_CUBIC = 0.044715;

/** Of any shape. */
export function gelu<T extends tf.Tensor>(x: T): T {
  return differentiable([x], () => {
    const squared = tf.square(x);
    const gate = tf.sigmoid(tf.mul(x, tf.add(tf.mul(squared, GELU_SLOPE * GELU_CUBIC), GELU_SLOPE)));
    return {
      value: tf.mul(x, gate) as T,
      saved: [x, gate, squared],
      backward: (dy, [x, gate, squared]) => {
        const slope = tf.add(tf.mul(squared, 3 * GELU_SLOPE * GELU_CUBIC), GELU_SLOPE); // d(2u)/dx
        const tilt = tf.mul(tf.mul(x, tf.sub(1, gate)), slope);
        return [tf.mul(dy, tf.mul(gate, tf.add(tilt, 1)))];
      },
    };
  });
}

/** Added to attention scores, so that no position attends to a later one. [T, T] */
export function causalMask(time: number): tf.Tensor2D {
  const mask = new Float32Array(time * time);
  for (let row = 0; row < time; row++) mask.fill(MASKED, row * time + row + 1, (row + 1) * time);
  return tf.tensor2d(mask, [time, time]);
}

/** q · kᵀ / √h + mask, the input of the softmax. q, k [G, T, h], mask [T, T] → [G, T, T] */
export function attentionScores(q: tf.Tensor3D, k: tf.Tensor3D, mask: tf.Tensor2D): tf.Tensor3D {
  return scores(tf.mul(q, 1 / Math.sqrt(q.shape[2])), k, mask);
}

function scores(scaled: tf.Tensor3D, k: tf.Tensor3D, mask: tf.Tensor2D): tf.Tensor3D {
  return tf.add(tf.matMul(scaled, k, false, true), mask); // [G, T, T]
}

/** softmax(q · kᵀ / √h + mask) · v (arXiv 1706.03762, equation 1). q, k, v [G, T, h], mask [T, T] → [G, T, h] */
export function attend(q: tf.Tensor3D, k: tf.Tensor3D, v: tf.Tensor3D, mask: tf.Tensor2D): tf.Tensor3D {
  const scale = 1 / Math.sqrt(q.shape[2]);
  return differentiable([q, k, v], () => {
    const scaled = tf.mul(q, scale) as tf.Tensor3D; // [G, T, h]
    const weights = tf.softmax(scores(scaled, k, mask)) as tf.Tensor3D; // [G, T, T]
    return {
      value: tf.matMul(weights, v), // [G, T, h]
      saved: [scaled, k, v, weights],
      backward: (dy, [scaled, k, v, weights]) => {
        const weighted = tf.mul(weights, tf.matMul(dy, v, false, true)); // [G, T, T]
        const dScores = tf.sub(weighted, tf.mul(weights, tf.sum(weighted, -1, true))) as tf.Tensor3D; // [G, T, T]
        return [
          tf.mul(tf.matMul(dScores, k), scale), // [G, T, h]
          tf.matMul(dScores, scaled, true), // [G, T, h]
          tf.matMul(weights, dy, true), // [G, T, h]
        ];
      },
    };
  });
}

/** Mean cross-entropy in nats. logits [N, V], targets [N] → a scalar */
export function crossEntropy(logits: tf.Tensor2D, targets: tf.Tensor1D): tf.Scalar {
  const [rows, classes] = logits.shape;
  return differentiable([logits], () => {
    const shifted = tf.sub(logits, tf.max(logits, -1, true)); // [N, V]
    const exponentials = tf.exp(shifted); // [N, V]
    const sums = tf.sum(exponentials, -1, true); // [N, 1]
    // cast, because the wasm backend writes whole numbers into a one-hot that is asked for as float32
    const wanted = tf.cast(tf.oneHot(targets, classes), 'float32'); // [N, V]
    return {
      value: tf.div(tf.sub(tf.sum(tf.log(sums)), tf.sum(tf.mul(shifted, wanted))), rows) as tf.Scalar,
      saved: [tf.div(exponentials, sums), wanted],
      backward: (dy, [chances, wanted]) => [tf.mul(tf.sub(chances, wanted), tf.div(dy, rows))], // [N, V]
    };
  });
}

interface Differentiation<T extends tf.Tensor, Saved extends tf.Tensor[]> {
  value: T;
  /** What `backward` needs of the forward pass; everything else is freed before it runs. */
  saved: readonly [...Saved];
  /** The gradient of each input, in their order, from the gradient of the value. */
  backward: (dy: T, saved: Saved) => tf.Tensor[];
}

/** `tf.customGrad`, typed. It computes a gradient for each of `inputs`. */
function differentiable<T extends tf.Tensor, Saved extends tf.Tensor[]>(
  inputs: tf.Tensor[],
  forward: () => Differentiation<T, Saved>,
): T {
  const op = tf.customGrad<T>((...inputsAndSave) => {
    const save = inputsAndSave.at(-1) as tf.GradSaveFunc;
    const { value, saved, backward } = forward();
    save([...saved]);
    return { value, gradFunc: (dy, kept) => backward(dy, kept as Saved) };
  });
  return op(...inputs);
}

/** [N, d] → [N, 1] */
function rowMeans(x: tf.Tensor): tf.Tensor {
  return tf.mean(x, -1, true);
}

/** [N, d] → [d] */
function columnSums(x: tf.Tensor): tf.Tensor1D {
  const ones = tf.ones<tf.Rank.R2>([1, x.shape[0] as number]);
  return tf.reshape(tf.matMul(ones, x as tf.Tensor2D), [-1]);
}
