'use client';

import { MAX_NAME_LENGTH } from '@evenkeel/protocol';
import { TextInput } from '@mantine/core';
import { useLocalStorage } from '@mantine/hooks';

/** Who acts, as they say themselves: there are no accounts. Remembered in this browser; null where they do not say. */
export function useYourName(): readonly [name: string | null, field: YourNameProps] {
  const [value, onChange] = useLocalStorage({ key: 'evenkeel.name', defaultValue: '' });
  return [value.trim() || null, { value, onChange }];
}

interface YourNameProps {
  value: string;
  onChange: (name: string) => void;
}

export function YourName({ value, onChange, size }: YourNameProps & { size?: 'xs' }) {
  return (
    <TextInput
      {...(size && { size })}
      label="Your name"
      placeholder="remembered in this browser"
      maxLength={MAX_NAME_LENGTH}
      value={value}
      onChange={({ currentTarget }) => onChange(currentTarget.value)}
    />
  );
}
