import './mantine.css';
import 'uplot/dist/uPlot.min.css';
import './globals.css';
import { ColorSchemeScript, mantineHtmlProps } from '@mantine/core';
import type { Metadata, Viewport } from 'next';
import type { ReactNode } from 'react';
import { Frame } from '../features/shell/frame.tsx';
import { Providers } from '../features/shell/providers.tsx';

export const metadata: Metadata = {
  title: { default: 'Runs · Evenkeel', template: '%s · Evenkeel' },
  description: 'Language-model pre-training, watched while it happens.',
};

export const viewport: Viewport = { colorScheme: 'light dark' };

// A page shows what the database holds now, and sign-in is asked for before it.
export const dynamic = 'force-dynamic';

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en" {...mantineHtmlProps}>
      <head>
        <ColorSchemeScript defaultColorScheme="auto" />
      </head>
      <body>
        <Providers>
          <Frame>{children}</Frame>
        </Providers>
      </body>
    </html>
  );
}
