import { Drawer, Stack, Table, Title } from "@mantine/core";
import type { ReactNode } from "react";
import type { AuditEvent } from "../../api/types";
import { Copy } from "../../parts/Copy";
import { localTime, utcTime } from "../../parts/format";
import { PageLink } from "../../parts/PageLink";
import { actorOf } from "./actor";
import classes from "./audit.module.css";
import { changesOf, factsOf } from "./changes";
import { wordsOf } from "./kinds";

/** All that is on record about one event. */
export function Details({ event, close }: { event: AuditEvent | undefined; close: () => void }) {
  return (
    <Drawer
      opened={event !== undefined}
      onClose={close}
      position="right"
      size="lg"
      title={event && wordsOf(event.type)}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {event && <Body event={event} />}
    </Drawer>
  );
}

function Body({ event }: { event: AuditEvent }) {
  const detail = event.detail as Record<string, unknown>;
  const changes = changesOf(detail);
  const { actor } = event;
  const facts: [string, ReactNode][] = [
    ["When", localTime(event.effective_at)],
    ["UTC", utcTime(event.effective_at).replace(" UTC", "")],
    ["Event", <code key="type">{event.type}</code>],
    [
      "Tenant",
      <PageLink key="tenant" to="/tenants/$slug" params={{ slug: event.tenant }}>
        {event.tenant}
      </PageLink>,
    ],
    ["What", <code key="subject">{event.subject}</code>],
    ["Who", actorOf(actor)],
    ...(actor.key_id === null
      ? []
      : [["Key", <code key="key">{actor.key_id}</code>] satisfies [string, ReactNode]]),
    ["From", actor.ip_address ?? "–"],
    ...factsOf(detail).map(({ field, value }): [string, ReactNode] => [
      field,
      <code key={field}>{value}</code>,
    ]),
    [
      "Id",
      <span key="id">
        <code>{event.id}</code> <Copy text={event.id} label="Copy the event's id" />
      </span>,
    ],
  ];
  return (
    <Stack gap="md">
      <Table withRowBorders={false} verticalSpacing={4} className={classes.facts}>
        <Table.Tbody>
          {facts.map(([name, value], index) => (
            <Table.Tr key={`${name}${index}`}>
              <Table.Th w={90} fw={500}>
                {name}
              </Table.Th>
              <Table.Td>{value}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {changes && changes.length > 0 && (
        <div>
          <Title order={2} mb={6}>
            Before and after
          </Title>
          <Table className={classes.changes}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Field</Table.Th>
                <Table.Th>Before</Table.Th>
                <Table.Th>After</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {changes.map(({ field, before, after }) => (
                <Table.Tr key={field} data-changed={before !== after}>
                  <Table.Td>{field}</Table.Td>
                  <Table.Td>{before === null ? "–" : <pre>{before}</pre>}</Table.Td>
                  <Table.Td>{after === null ? "–" : <pre>{after}</pre>}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
      )}
    </Stack>
  );
}
