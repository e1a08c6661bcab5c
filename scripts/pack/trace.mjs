import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ROOT } from './files.mjs';

/** Finds the files that a program loads. It is what Next.js makes its own lists of files with. */
export const { nodeFileTrace } = createRequire(join(ROOT, 'apps/dashboard/package.json'))(
  'next/dist/compiled/@vercel/nft',
);
