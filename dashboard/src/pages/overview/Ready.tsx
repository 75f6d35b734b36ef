import { Badge, Popover, Table, UnstyledButton } from "@mantine/core";
import type { Now } from "../../api/types";

const colours: Record<string, string> = { ok: "teal", unused: "gray", degraded: "yellow" };

/** Whether the server takes requests, and on a click what that depends on. */
export function Ready({ ready }: { ready: Now["ready"] }) {
  const well = ready.status === "ok";
  const words = well ? "Ready" : `Not ready: ${failing(ready)}`;
  return (
    <Popover withArrow position="bottom-end" shadow="md">
      <Popover.Target>
        {/* Begins with what is seen, for those who speak to their browser. */}
        <UnstyledButton aria-label={`${words}. Show the checks`}>
          <Badge variant="light" tt="none" color={well ? "teal" : "red"} style={{ cursor: "pointer" }}>
            {words}
          </Badge>
        </UnstyledButton>
      </Popover.Target>
      <Popover.Dropdown p="xs">
        <Table withRowBorders={false} verticalSpacing={3} aria-label="Readiness checks">
          <Table.Tbody>
            {Object.entries(ready.checks).map(([name, state]) => (
              <Table.Tr key={name}>
                <Table.Th fw={500}>{name}</Table.Th>
                <Table.Td ta="right">
                  <Badge size="sm" tt="none" variant="light" color={colours[state] ?? "red"}>
                    {state}
                  </Badge>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Popover.Dropdown>
    </Popover>
  );
}

function failing(ready: Now["ready"]): string {
  const names = Object.entries(ready.checks).filter(([, state]) => !(state in colours));
  return names.length > 0 ? names.map(([name]) => name).join(", ") : ready.status;
}
