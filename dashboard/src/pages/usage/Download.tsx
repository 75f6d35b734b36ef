import { Button } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { download } from "../../parts/csv";
import { percent } from "../../parts/format";
import { Icon } from "../../parts/Icon";
import { tellFailure } from "../../parts/tell";
import { fileOf } from "./file";
import { dateOf, type Width } from "./period";
import { type Asked, usagePages } from "./readUsage";
import type { KeyNames } from "./useKeyNames";

interface Props {
  asked: Asked;
  names: KeyNames;
  now: number;
  /** There is nothing to download. */
  empty: boolean;
}

/** Few buckets a page: of ten thousand tenants, each is some megabytes. */
const FILE_BUCKETS: Record<Width, number> = { "1h": 6, "1d": 2 };

/** All groups as a file, also those that the page shows as one. It ends when the page is left. */
export function Download({ asked, names, now, empty }: Props) {
  const [part, setPart] = useState(0);
  const running = useRef<AbortController>(null);
  useEffect(() => () => running.current?.abort(), []);
  const save = useMutation({
    mutationFn: async () => {
      const { period, by } = asked;
      const end = period.end ?? now;
      const { signal } = (running.current = new AbortController());
      setPart(0);
      const pages = usagePages(asked, { limit: FILE_BUCKETS[period.width] }, signal);
      const file = await fileOf(pages, names, (until) =>
        setPart(Math.min((until - period.start) / (end - period.start), 1)),
      );
      download(`usage-${dateOf(period.start)}-${dateOf(end - 1)}-by-${by}.csv`, file);
    },
    onError: (error) => {
      if (!running.current?.signal.aborted) tellFailure(error);
    },
  });
  return (
    <Button
      variant="default"
      leftSection={<Icon name="download" size={14} />}
      disabled={empty || save.isPending}
      onClick={() => save.mutate()}
    >
      {save.isPending ? `Downloading, ${percent(part, 1)}` : "Download CSV"}
    </Button>
  );
}
