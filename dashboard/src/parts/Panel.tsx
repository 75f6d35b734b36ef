import { Box, Group, Title } from "@mantine/core";
import type { ReactNode } from "react";
import classes from "./Panel.module.css";

interface Props {
  title?: string;
  /** Beside the title, at the right. */
  aside?: ReactNode;
  /** Without room around what is inside, for tables. */
  flush?: boolean;
  children: ReactNode;
}

/** A framed part of a page. */
export function Panel({ title, aside, flush = false, children }: Props) {
  return (
    <section className={classes.panel}>
      {(title !== undefined || aside !== undefined) && (
        <Group justify="space-between" className={classes.head} wrap="nowrap">
          {title !== undefined && <Title order={2}>{title}</Title>}
          {aside}
        </Group>
      )}
      <Box p={flush ? 0 : "md"} pt={flush || title === undefined ? undefined : 4}>
        {children}
      </Box>
    </section>
  );
}
