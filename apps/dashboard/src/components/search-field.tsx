'use client';

import { TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { useState } from 'react';

const SEARCH_PAUSE_MS = 200;

interface Props {
  label: string;
  placeholder: string;
  /** What is searched; null for nothing. */
  value: string | null;
  /** Called once typing pauses. */
  onSearch: (text: string | null) => void;
}

/** The help sheet's `/` comes here. */
export function SearchField({ label, placeholder, value, onSearch }: Props) {
  const [typing, setTyping] = useState<string | null>(null); // until it is searched
  const apply = useDebouncedCallback((text: string) => {
    onSearch(text || null);
    setTyping(null);
  }, SEARCH_PAUSE_MS);
  return (
    <TextInput
      type="search"
      size="xs"
      aria-label={label}
      aria-keyshortcuts="/"
      placeholder={placeholder}
      value={typing ?? value ?? ''}
      onChange={({ currentTarget }) => {
        setTyping(currentTarget.value);
        apply(currentTarget.value);
      }}
    />
  );
}
