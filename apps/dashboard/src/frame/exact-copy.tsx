'use client';

import { useEffect } from 'react';
import { exactText } from '../components/exact.ts';

/** Has numbers that are shown rounded copied with every digit. */
export function ExactCopy() {
  useEffect(() => {
    const copy = (event: ClipboardEvent) => {
      const selection = getSelection();
      const text = selection && exactText(selection);
      if (!text || !event.clipboardData) return;
      event.clipboardData.setData('text/plain', text);
      event.preventDefault();
    };
    document.addEventListener('copy', copy);
    return () => document.removeEventListener('copy', copy);
  }, []);
  return null;
}
