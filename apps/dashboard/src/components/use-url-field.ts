'use client';

import { type SingleParser, useQueryState } from 'nuqs';

/**
 * The properties of a select or an input whose value is a search parameter.
 * @param onChanged called after a change of it, and not when the URL changes otherwise.
 */
export function useUrlField<T extends string | number | readonly string[]>(
  name: string,
  parser: Required<SingleParser<T>>,
  onChanged?: () => void,
) {
  const [value, setValue] = useQueryState(name, parser);
  return {
    size: 'xs' as const,
    value: value === null ? '' : parser.serialize(value),
    onChange: ({ currentTarget }: { currentTarget: { value: string } }) => {
      void setValue(parser.parse(currentTarget.value));
      onChanged?.();
    },
  };
}
