// Uploads that broke off: what is there of them, and how to go on. A browser does not keep a file for us, so it is dropped again.
import { Alert, Button, Group, Stack, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, data } from "../../api/client";
import { useSession } from "../../api/session";
import { bytes, percent } from "../../parts/format";
import { tellFailure } from "../../parts/tell";
import { Time } from "../../parts/Time";
import { isRunning, useJob } from "../../parts/upload/job";
import { arrived, cancel } from "../../parts/upload/transfer";

export function Unfinished() {
  const { session } = useSession();
  const job = useJob(session.csrf);
  const client = useQueryClient();
  const refresh = () => void client.invalidateQueries({ queryKey: ["uploads"] });
  const { data: uploads } = useQuery({ queryKey: ["uploads"], queryFn: read });
  const giveUp = useMutation({ mutationFn: cancel, onSettled: refresh, onError: tellFailure });
  // The one that runs is in this list, too.
  if ((job && isRunning(job)) || !uploads || uploads.length === 0) return null;
  return (
    <Alert
      color="yellow"
      p="sm"
      title={
        uploads.length === 1 ? "An upload was not finished" : `${uploads.length} uploads were not finished`
      }
    >
      <Stack gap="xs">
        {uploads.map(({ id, size, there, created_at, expires_at }) => (
          <Group key={id} justify="space-between" wrap="nowrap">
            <Text size="sm" component="div">
              <span className="num">
                {bytes(there)} of {bytes(size)} ({percent(there, size)})
              </span>{" "}
              are on the server, begun <Time at={created_at} relative />, kept until <Time at={expires_at} />.
            </Text>
            <Button variant="default" onClick={() => giveUp.mutate(id)} loading={giveUp.isPending}>
              Give it up
            </Button>
          </Group>
        ))}
        <Text size="sm" c="dimmed">
          To go on, drop the same files again: only what is missing is sent. Until then it holds room of your
          tenant&apos;s.
        </Text>
      </Stack>
    </Alert>
  );
}

async function read() {
  const page = await data(api.GET("/v1/uploads", { params: { query: { status: "pending", limit: 20 } } }));
  return Promise.all(
    page.data.map(async ({ id, bytes: size, created_at, expires_at }) => {
      const parts = await arrived(id);
      const there = [...parts.values()].reduce((sum, part) => sum + part.bytes, 0);
      return { id, size, there, created_at, expires_at };
    }),
  );
}
