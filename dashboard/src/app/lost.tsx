import { Box } from "@mantine/core";
import type { ErrorComponentProps } from "@tanstack/react-router";
import { useRouter } from "@tanstack/react-router";
import { Empty } from "../parts/Empty";
import { ErrorState } from "../parts/ErrorState";
import { PageLink } from "../parts/PageLink";

export function NotFound() {
  return (
    <Box p="xl">
      <Empty title="There is no such page">
        <PageLink to="/">Go to the overview</PageLink>
      </Empty>
    </Box>
  );
}

export function RouteError({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  const retry = () => {
    reset();
    void router.invalidate();
  };
  return (
    <Box p="xl">
      <ErrorState error={error} retry={retry} />
    </Box>
  );
}
