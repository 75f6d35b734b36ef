import { Anchor, Box } from "@mantine/core";
import type { ErrorComponentProps } from "@tanstack/react-router";
import { Link, useRouter } from "@tanstack/react-router";
import { Empty } from "../parts/Empty";
import { ErrorState } from "../parts/ErrorState";

export function NotFound() {
  return (
    <Box p="xl">
      <Empty title="There is no such page">
        <Anchor component={Link} to="/">
          Go to the overview
        </Anchor>
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
