import { InboxSkeleton } from '../../features/inbox/inbox-skeleton.tsx';

export default function Loading() {
  return <InboxSkeleton />;
}
