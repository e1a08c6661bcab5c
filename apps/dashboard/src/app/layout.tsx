import './mantine.css';
import 'uplot/dist/uPlot.min.css';
import './globals.css';
import { ColorSchemeScript, mantineHtmlProps } from '@mantine/core';
import type { Metadata, Viewport } from 'next';
import { headers } from 'next/headers';
import type { ReactNode } from 'react';
import { Frame } from '../frame/frame.tsx';
import { NONCE_HEADER } from '../frame/nonce.ts';
import { Providers } from '../frame/providers.tsx';

export const metadata: Metadata = {
  title: { default: 'Runs · Evenkeel', template: '%s · Evenkeel' },
  description: 'Language-model pre-training, watched while it happens.',
};

export const viewport: Viewport = { colorScheme: 'light dark' };

// A page shows what the database holds now, and sign-in is asked for before it.
export const dynamic = 'force-dynamic';

export default async function Layout({ children }: { children: ReactNode }) {
  const nonce = (await headers()).get(NONCE_HEADER);
  return (
    <html lang="en" {...mantineHtmlProps}>
      <head>
        <ColorSchemeScript defaultColorScheme="auto" nonce={nonce ?? undefined} />
      </head>
      <body>
        <Providers>
          <Frame>{children}</Frame>
        </Providers>
      </body>
    </html>
  );
}
