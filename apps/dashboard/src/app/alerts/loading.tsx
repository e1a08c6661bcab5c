import { InboxSkeleton } from '../../features/alert/inbox-skeleton.tsx';

export default function Loading() {
  return <InboxSkeleton />;
}
