import type { Metadata } from 'next';
import Link from 'next/link';
import { Message } from '../components/message.tsx';

export const metadata: Metadata = { title: 'Not found' };

export default function NotFound() {
  return (
    <Message title="There is nothing here" action={<Link href="/">See all runs</Link>}>
      The address names no page of this server.
    </Message>
  );
}
