import type { Metadata } from 'next';
import Link from 'next/link';
import { Message } from '../../../../components/message.tsx';

export const metadata: Metadata = { title: 'No such alert' };

export default function NotFound() {
  return (
    <Message title="There is no such alert" action={<Link href="/alerts?status=all">See all alerts</Link>}>
      Its run may have been deleted, and its alerts with it; or the address is of another server.
    </Message>
  );
}
