import { Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";

/** Nothing is there: why, and what to do about it. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <Stack align="center" gap={6} py={40} px="md" ta="center">
      <Text fw={550}>{title}</Text>
      {children !== undefined && (
        <Text component="div" size="sm" c="dimmed" maw={460}>
          {children}
        </Text>
      )}
    </Stack>
  );
}
