'use client';

import { Button, NativeSelect, SegmentedControl } from '@mantine/core';
import { formatCount } from '../../format.ts';
import classes from './charts.module.css';
import { HALF_LIVES, type StepRange, writeRange, writeSmoothing, writeUnit } from './view-params.ts';
import { X_UNITS, type XUnit } from './x-axis.ts';

interface Props {
  range: StepRange;
  unit: XUnit;
  halfLife: number | null;
  onChange: (patch: Record<string, string | null>, how?: 'push' | 'replace') => void;
}

const UNIT_NAMES = { step: 'Steps', tokens: 'Tokens', time: 'Time' };

/** What every chart below shows: which steps, spaced by what, smoothed how far. */
export function ChartsToolbar({ range, unit, halfLife, onChange }: Props) {
  return (
    <div className={classes.toolbar}>
      <Range range={range} onReset={() => onChange(writeRange({}), 'push')} />
      <span className={classes.controls}>
        <SegmentedControl
          size="xs"
          aria-label="X axis"
          data={X_UNITS.map((value) => ({ value, label: UNIT_NAMES[value] }))}
          value={unit}
          onChange={(value) => onChange(writeUnit(value as XUnit))}
        />
        <SmoothingSelect halfLife={halfLife} onChange={onChange} />
      </span>
    </div>
  );
}

/** How far curves are smoothed, as the address has it. */
export function SmoothingSelect({ halfLife, onChange }: Pick<Props, 'halfLife' | 'onChange'>) {
  return (
    <NativeSelect
      size="xs"
      aria-label="Smoothing"
      title="An exponentially weighted mean; its half-life is in steps. The raw line stays behind it."
      value={halfLife ?? ''}
      onChange={({ currentTarget: { value } }) => onChange(writeSmoothing(value ? Number(value) : null))}
      data={[
        { value: '', label: 'Not smoothed' },
        ...HALF_LIVES.map((steps) => ({ value: String(steps), label: `Smoothed, ${formatCount(steps)} steps` })),
      ]}
    />
  );
}

function Range({ range: { from, to }, onReset }: { range: StepRange; onReset: () => void }) {
  if (from === undefined && to === undefined) return <span>All steps · drag across a chart to zoom</span>;
  return (
    <>
      <span>
        Steps {formatCount(from ?? 0)} to {to === undefined ? 'the newest' : formatCount(to)}
      </span>
      <Button size="compact-xs" variant="default" onClick={onReset}>
        Show all steps
      </Button>
      <span>or double-click a chart</span>
    </>
  );
}
