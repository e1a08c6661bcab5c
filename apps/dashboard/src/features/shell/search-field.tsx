'use client';

import { TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { useState } from 'react';
import { useUrlParams } from '../../url.ts';

const SEARCH_PAUSE_MS = 200;

interface Props {
  label: string;
  placeholder: string;
  /** Its parameter in the address. */
  name?: string;
  /** What else of the address no longer holds once another thing is searched. */
  without?: readonly string[];
}

/** What is searched, in the address. The help sheet's `/` comes here. */
export function SearchField({ label, placeholder, name = 'q', without = [] }: Props) {
  const [params, setParams] = useUrlParams();
  const [typing, setTyping] = useState<string | null>(null); // until it is in the address
  const apply = useDebouncedCallback((text: string) => {
    setParams({ [name]: text, ...Object.fromEntries(without.map((other) => [other, null])) });
    setTyping(null);
  }, SEARCH_PAUSE_MS);
  return (
    <TextInput
      type="search"
      size="xs"
      aria-label={label}
      aria-keyshortcuts="/"
      placeholder={placeholder}
      value={typing ?? params.get(name) ?? ''}
      onChange={({ currentTarget: { value } }) => {
        setTyping(value);
        apply(value);
      }}
    />
  );
}
