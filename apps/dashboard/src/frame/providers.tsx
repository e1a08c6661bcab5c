'use client';

import { MantineProvider } from '@mantine/core';
import { NuqsAdapter } from 'nuqs/adapters/next/app';
import type { ReactNode } from 'react';
import { DataProvider } from '../trpc/client.tsx';
import { theme } from './theme.ts';

export function Providers({ children }: { children: ReactNode }) {
  return (
    <NuqsAdapter>
      <MantineProvider theme={theme} defaultColorScheme="auto">
        <DataProvider>{children}</DataProvider>
      </MantineProvider>
    </NuqsAdapter>
  );
}
