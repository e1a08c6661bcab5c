'use client';

import { Button, NativeSelect, SegmentedControl } from '@mantine/core';
import { formatCount } from '../../format.ts';
import classes from './charts.module.css';
import { HALF_LIVES, type StepRange, writeRange, writeSmoothing, writeUnit } from './view-params.ts';
import { X_UNITS, type XUnit } from './x-axis.ts';

interface Props {
  range: StepRange;
  unit: XUnit;
  /** Whether the run tells the tokens it has seen. */
  tellsTokens: boolean;
  halfLife: number | null;
  onChange: (patch: Record<string, string | null>, how?: 'push' | 'replace') => void;
}

/** What every chart below shows: which steps, spaced by what, smoothed how far. */
export function ChartsToolbar({ range, unit, tellsTokens, halfLife, onChange }: Props) {
  return (
    <div className={classes.toolbar}>
      <Range range={range} onReset={() => onChange(writeRange({}), 'push')} />
      <span className={classes.controls}>
        <UnitSelect name="X axis" unit={unit} tellsTokens={tellsTokens} onChange={onChange} />
        <SmoothingSelect halfLife={halfLife} onChange={onChange} />
      </span>
    </div>
  );
}

const UNIT_NAMES = { step: 'Steps', tokens: 'Tokens', time: 'Time' };

/** What the x axis counts, as the address has it. */
export function UnitSelect({
  name,
  unit,
  tellsTokens = true,
  onChange,
}: { name: string; tellsTokens?: boolean } & Pick<Props, 'unit' | 'onChange'>) {
  return (
    <SegmentedControl
      size="xs"
      aria-label={name}
      title={tellsTokens ? undefined : 'These steps do not tell the tokens seen.'}
      data={X_UNITS.map((value) => ({
        value,
        label: UNIT_NAMES[value],
        disabled: value === 'tokens' && !tellsTokens,
      }))}
      value={unit}
      onChange={(value) => onChange(writeUnit(value as XUnit))}
    />
  );
}

/** How far curves are smoothed, as the address has it. */
export function SmoothingSelect({ halfLife, onChange }: Pick<Props, 'halfLife' | 'onChange'>) {
  return (
    <NativeSelect
      size="xs"
      aria-label="Smoothing"
      title="An exponentially weighted mean of what is shown, its half-life in steps; it begins anew at the left edge. The raw line stays behind it."
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
        {from === undefined ? 'The first step' : `Steps ${formatCount(from)}`} to{' '}
        {to === undefined ? 'the newest' : formatCount(to)}
      </span>
      <Button size="compact-xs" variant="default" onClick={onReset}>
        Show all steps
      </Button>
      <span>or double-click a chart</span>
    </>
  );
}
