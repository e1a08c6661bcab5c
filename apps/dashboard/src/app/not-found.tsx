import type { Metadata } from 'next';
import Link from 'next/link';
import { Message } from '../features/shell/message.tsx';

export const metadata: Metadata = { title: 'Not found' };

export default function NotFound() {
  return (
    <Message title="There is nothing here" action={<Link href="/">See all runs</Link>}>
      The address names no page and no run of this server. A run shows up with its first message; runs of another data
      directory or database are not listed here.
    </Message>
  );
}
