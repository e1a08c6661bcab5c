import { Skeleton, VisuallyHidden } from '@mantine/core';

export default function Loading() {
  return (
    <>
      <VisuallyHidden role="status">Loading</VisuallyHidden>
      <Skeleton height={32} width={240} mb="md" animate={false} />
      <Skeleton height={360} animate={false} />
    </>
  );
}
