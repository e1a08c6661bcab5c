import type { Metadata } from 'next';
import { MissingRun } from '../../../features/run-page/missing-run.tsx';

export const metadata: Metadata = { title: 'No such run' };

export default function NotFound() {
  return <MissingRun />;
}
