// What an alias named before, and the way back.
import { Badge, Button, Modal, Stack, Table, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { api, data } from "../../api/client";
import type { Alias, AliasDetail } from "../../api/types";
import { ErrorLine } from "../../parts/ErrorLine";
import { ErrorState } from "../../parts/ErrorState";
import { Loading } from "../../parts/Loading";
import { tellDone } from "../../parts/tell";
import { Time } from "../../parts/Time";
import { isConflict, shareWords } from "./targets";
import { useAlias, useRefresh } from "./useAdapter";

interface Props {
  alias: Alias;
  may: boolean;
  close: () => void;
}

export function History({ alias, may, close }: Props) {
  const { data: detail, error, refetch } = useAlias(alias.name, alias.alias);
  return (
    <Modal opened onClose={close} title={`History of ${alias.model}`} size="lg">
      {detail ? (
        <Moves detail={detail} may={may} onDone={close} />
      ) : error ? (
        <ErrorState error={error} retry={() => void refetch()} />
      ) : (
        <Loading />
      )}
    </Modal>
  );
}

function Moves({ detail, may, onDone }: { detail: AliasDetail; may: boolean; onDone: () => void }) {
  const refresh = useRefresh();
  const [to, setTo] = useState<number | null>(null);
  const { name, alias, revision, history } = detail;
  const back = useMutation({
    mutationFn: (to_revision: number) =>
      data(
        api.POST("/v1/adapters/{name}/aliases/{alias}/rollback", {
          params: { path: { name, alias } },
          body: { to_revision, expected_revision: revision },
        }),
      ),
    onSuccess: ({ model, targets }) => {
      tellDone(`${model} is back to ${shareWords(targets)}.`);
      refresh();
      onDone();
    },
    // The history is asked for again, and shows who was faster.
    onError: refresh,
  });
  const words = isConflict(back.error)
    ? new Error("Somebody else has moved it meanwhile: the list below is new. Look at it, then choose again.")
    : back.error;
  return (
    <Stack gap="sm">
      {may && (
        <Text size="sm" c="dimmed">
          Rolling back is a move of its own: requests get that version from then on, answers that run keep
          theirs, and nothing is lost.
        </Text>
      )}
      <ErrorLine error={words} />
      <Table aria-label="Moves, newest first">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Revision</Table.Th>
            <Table.Th>Named</Table.Th>
            <Table.Th>From</Table.Th>
            <Table.Th>Until</Table.Th>
            {may && <Table.Th aria-label="Roll back" />}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {history.map((move) => (
            <Table.Tr key={move.revision}>
              <Table.Td className="num">{move.revision}</Table.Td>
              <Table.Td className="num">{shareWords(move.targets)}</Table.Td>
              <Table.Td>
                <Time at={move.moved_at} />
              </Table.Td>
              <Table.Td>
                {move.revision === revision ? (
                  <Badge variant="light">now</Badge>
                ) : (
                  <Time at={move.ended_at} />
                )}
              </Table.Td>
              {may && (
                <Table.Td ta="right">
                  {move.revision !== revision && (
                    <Button
                      variant={to === move.revision ? "filled" : "default"}
                      size="compact-xs"
                      loading={back.isPending && to === move.revision}
                      onClick={() =>
                        to === move.revision ? back.mutate(move.revision) : setTo(move.revision)
                      }
                    >
                      {to === move.revision
                        ? `Yes, back to ${shareWords(move.targets)}`
                        : "Roll back to this"}
                    </Button>
                  )}
                </Table.Td>
              )}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Stack>
  );
}
