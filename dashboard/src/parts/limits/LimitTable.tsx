import { Table } from "@mantine/core";
import type { Limits } from "../../api/types";
import { capText, defaultText, type LimitOverrides, REQUEST_LIMITS } from "./limits";

interface Props {
  limits: typeof REQUEST_LIMITS;
  own: LimitOverrides;
  defaults: Limits | undefined;
}

/** A tenant's limits, for reading. */
export function LimitTable({ limits, own, defaults }: Props) {
  return (
    <Table aria-label="Limits">
      <Table.Tbody>
        {limits.map((limit) => {
          const cap = own[limit.name] ?? null;
          return (
            <Table.Tr key={limit.name}>
              <Table.Th scope="row" w="45%" fw={400} c="dimmed">
                {limit.label}
              </Table.Th>
              <Table.Td className="num">
                {cap === null ? defaultText(limit, defaults) : capText(limit, cap)}
              </Table.Td>
            </Table.Tr>
          );
        })}
      </Table.Tbody>
    </Table>
  );
}
