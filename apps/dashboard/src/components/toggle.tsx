import type { ComponentProps } from 'react';
import classes from './toggle.module.css';

/** A small button that is on or off. */
export function Toggle({ isOn, ...props }: { isOn: boolean } & ComponentProps<'button'>) {
  return <button type="button" className={classes.toggle} aria-pressed={isOn} {...props} />;
}
