import classes from './shape.module.css';

const SHAPES = {
  play: 'M3 2.2v7.6L9.8 6z',
  tick: 'M1.8 6.4 4.6 9.2 10.2 2.8',
  square: 'M2.6 2.6h6.8v6.8H2.6z',
  cross: 'M2.4 2.4l7.2 7.2M9.6 2.4 2.4 9.6',
  circle: 'M6 1.8a4.2 4.2 0 1 0 .01 0z',
  call: 'M6 1.8a4.2 4.2 0 1 0 .01 0zM6 3.6v3M6 8.1v.6',
  eye: 'M.9 6C3 2.4 9 2.4 11.1 6 9 9.6 3 9.6 .9 6zM6 4.9a1.1 1.1 0 1 0 .01 0z',
  clock: 'M6 1.8a4.2 4.2 0 1 0 .01 0zM6 3.6V6l1.8 1.2',
  arrow: 'M2 6h7M6.4 3.2 9.2 6 6.4 8.8',
  dash: 'M2 6h8',
  triangle: 'M6 1.6 11 10.4H1z',
  diamond: 'M6 .8 11.2 6 6 11.2.8 6z',
} as const;
export type ShapeName = keyof typeof SHAPES;

/**
 * A small drawing in the color of the text around it, beside words that say the same. Each state of a thing has a shape of
 * its own, so that none is distinguished by color alone.
 */
export function Shape({ name }: { name: ShapeName }) {
  return (
    <svg className={classes.shape} data-shape={name} viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
      <path d={SHAPES[name]} />
    </svg>
  );
}
