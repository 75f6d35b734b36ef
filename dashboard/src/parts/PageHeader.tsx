import { Group, Text, Title } from "@mantine/core";
import { type ReactNode, useEffect } from "react";

interface Props {
  title: string;
  /** One line that says what is here. */
  note?: ReactNode;
  /** Above the title: the way back. */
  crumbs?: ReactNode;
  /** Buttons at the right. */
  children?: ReactNode;
}

export function PageHeader({ title, note, crumbs, children }: Props) {
  useEffect(() => {
    document.title = `${title} · Tenora`;
  }, [title]);
  return (
    <header style={{ marginBottom: 16 }}>
      {crumbs}
      <Group justify="space-between" align="flex-end" gap="sm">
        <div>
          <Title order={1}>{title}</Title>
          {note !== undefined && (
            <Text component="div" size="sm" c="dimmed" mt={2}>
              {note}
            </Text>
          )}
        </div>
        {children !== undefined && <Group gap="xs">{children}</Group>}
      </Group>
    </header>
  );
}
