import { Skeleton, Stack, VisuallyHidden } from "@mantine/core";

/** Grey lines where a list or a page will be. */
export function Loading({ lines = 6 }: { lines?: number }) {
  return (
    <Stack gap="sm" p="md" role="status">
      <VisuallyHidden>Loading</VisuallyHidden>
      {Array.from({ length: lines }, (_, line) => (
        <Skeleton key={line} height={14} width={`${92 - ((line * 17) % 40)}%`} />
      ))}
    </Stack>
  );
}
