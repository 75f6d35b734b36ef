// The checks' report: what the adapter is, what is odd about it, how strong it is, and what it passed.
import { Alert, List, Stack, Table, Text } from "@mantine/core";
import type { ReactNode } from "react";
import type { Report } from "../../api/types";
import { bytes, compact, count, millis } from "../format";
import { Words } from "../Words";
import classes from "./report.module.css";
import { CHECKS, LARGE_NORM, WARNINGS } from "./words";

export function ReportView({ report }: { report: Report }) {
  return (
    <Stack gap="md">
      {report.warnings.map(({ code, message }) => (
        <Alert key={code} color="yellow" p="xs" title={WARNINGS[code] ?? code}>
          <Words text={message} />
        </Alert>
      ))}
      <dl className={classes.facts}>
        {factsOf(report).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd className="num">{value}</dd>
          </div>
        ))}
      </dl>
      <Norms report={report} />
      <div>
        <Text size="sm" fw={550} mb={4}>
          Passed {report.checks.length} checks
          {report.check_ms === undefined ? "" : ` in ${millis(report.check_ms)}`}
        </Text>
        <List size="xs" spacing={2} className={classes.checks}>
          {report.checks.map((check) => (
            <List.Item key={check}>{CHECKS[check] ?? check}</List.Item>
          ))}
        </List>
      </div>
    </Stack>
  );
}

function factsOf(report: Report): [string, ReactNode][] {
  const { canary } = report;
  const facts: [string, ReactNode][] = [
    ["Rank", report.ranks.length > 1 ? report.ranks.join(", ") : report.rank],
    ["Alpha", report.alpha],
    [
      "Scale",
      `${report.scales.map((scale) => +scale.toPrecision(4)).join(", ")}${report.rank_stabilised ? " (rsLoRA)" : ""}`,
    ],
    ["Parameters", compact(report.parameters)],
    ["Tensors", `${count(report.tensors)} in ${report.dtype}`],
    ["Weights", bytes(report.bytes)],
    ["Layers", layersOf(report.layers)],
    ["Trained on", report.base_model ?? "not said"],
  ];
  if (canary) {
    facts.push(
      ["In memory", bytes(canary.resident_bytes)],
      ["Trial answer", `${millis(canary.load_ms)} to load, ${millis(canary.run_ms)} to run`],
      ["Away from the base", canary.effect.toPrecision(3)],
    );
  }
  return facts;
}

/** 0–27, or those that there are. */
function layersOf(layers: number[]): string {
  const [first, last] = [layers[0], layers.at(-1)];
  if (first === undefined || last === undefined) return "none";
  if (last - first + 1 === layers.length) return first === last ? `${first}` : `${first}–${last}`;
  return layers.join(", ");
}

function Norms({ report }: { report: Report }) {
  const largest = Math.max(1, ...report.norms.map(({ norm }) => norm));
  return (
    <div>
      <Text size="sm" fw={550}>
        How strong each projection is
      </Text>
      <Text size="xs" c="dimmed" mb={6}>
        The most that it can do to its input (scale · ‖A‖ · ‖B‖). Trained adapters have 1 to some hundreds; 0
        is untrained, above 1,000 unstable.
      </Text>
      <Table.ScrollContainer minWidth={420}>
        <Table verticalSpacing={4} aria-label="Norms by projection">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Projection</Table.Th>
              <Table.Th className={classes.right}>Largest in A</Table.Th>
              <Table.Th className={classes.right}>Largest in B</Table.Th>
              <Table.Th className={classes.right}>Bound</Table.Th>
              <Table.Th w="30%" aria-label="Bound as a bar" />
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {report.norms.map(({ module, largest_a, largest_b, norm }) => (
              <Table.Tr key={module}>
                <Table.Td>
                  <code>{module}</code>
                </Table.Td>
                <Table.Td className={classes.right}>{largest_a.toPrecision(3)}</Table.Td>
                <Table.Td className={classes.right}>{largest_b.toPrecision(3)}</Table.Td>
                <Table.Td className={classes.right}>{norm.toPrecision(4)}</Table.Td>
                <Table.Td>
                  <div
                    className={norm > LARGE_NORM ? classes.loud : classes.bar}
                    style={{ width: `${(norm / largest) * 100}%` }}
                  />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </div>
  );
}
