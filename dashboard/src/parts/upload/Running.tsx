// An upload on its way, file by file, and what came of it.
import { Alert, Badge, Button, Group, Loader, Progress, Stack, Text } from "@mantine/core";
import { reportOf } from "../../api/adapters";
import { bytes, percent } from "../format";
import { ErrorLine } from "../ErrorLine";
import { PageLink } from "../PageLink";
import { Panel } from "../Panel";
import { Refused } from "../report/Refused";
import { ReportView } from "../report/ReportView";
import { CONFIG, WEIGHTS } from "./files";
import { isRunning, stop, type Job } from "./job";
import classes from "./upload.module.css";

interface Props {
  job: Job;
  onAgain: () => void;
  onDismiss: () => void;
}

export function Running({ job, onAgain, onDismiss }: Props) {
  const { asked, phase, push } = job;
  const running = isRunning(job);
  return (
    <Panel
      title={`Uploading ${asked.name}`}
      aside={
        running ? (
          <Button variant="default" onClick={stop}>
            Stop
          </Button>
        ) : (
          <Group gap="xs">
            {phase === "broken" && <Button onClick={onAgain}>Try again</Button>}
            <Button variant="default" onClick={onDismiss}>
              {push?.status === "ready" ? "Done" : "Close"}
            </Button>
          </Group>
        )
      }
    >
      <Stack gap="sm">
        <Files job={job} />
        {job.waiting !== null && (
          <Alert color="yellow" p="xs">
            {job.waiting} It goes on by itself when the server answers.
          </Alert>
        )}
        {phase === "validating" && (
          <Group gap="xs" role="status">
            <Loader size="xs" />
            <Text size="sm">The server checks the files, and tries the adapter on a short prompt.</Text>
          </Group>
        )}
        {phase === "broken" && (
          <>
            <ErrorLine error={job.error} />
            <Text size="sm" c="dimmed">
              What has arrived stays on the server for a day: trying again sends the rest.
            </Text>
          </>
        )}
        {phase === "ended" && push && <Outcome job={job} />}
      </Stack>
    </Panel>
  );
}

function Outcome({ job: { asked, push } }: { job: Job }) {
  if (!push) return null;
  if (push.status !== "ready") return <Refused push={push} />;
  const report = reportOf(push);
  return (
    <>
      <Alert color="teal" role="status" title={`${push.model ?? asked.name} is ready`}>
        {asked.latest
          ? "Requests for the plain name get it from now on. "
          : "The plain name answers as before. "}
        <PageLink to="/adapters/$name" params={{ name: asked.name }}>
          See the adapter
        </PageLink>
        {" or "}
        <PageLink to="/playground" search={{ models: `base,${push.model ?? asked.name}` }}>
          try it in the playground
        </PageLink>
        .
      </Alert>
      {report && <ReportView report={report} />}
    </>
  );
}

function Files({ job }: { job: Job }) {
  const { files } = job.asked;
  const size = files.weights.size;
  const { words, part } = progressOf(job);
  const sent = job.phase === "validating" || job.phase === "ended";
  return (
    <Stack gap={6}>
      <div className={classes.file}>
        <code>{CONFIG}</code>
        <span className="num">{bytes(new Blob([files.config]).size)}</span>
        <Progress value={sent ? 100 : 0} aria-label={CONFIG} color="indigo" />
        <span>{sent ? "sent" : "goes last"}</span>
      </div>
      <div className={classes.file}>
        <code>{WEIGHTS}</code>
        <span className="num">{bytes(size)}</span>
        <Progress value={(part / size) * 100} aria-label={WEIGHTS} color="indigo" />
        <span className="num">{words}</span>
      </div>
      {job.found > 0 && (
        <Badge variant="light" tt="none">
          {bytes(job.found)} were there from an earlier try
        </Badge>
      )}
    </Stack>
  );
}

function progressOf({ phase, bytes: done, asked, push }: Job): { words: string; part: number } {
  const size = asked.files.weights.size;
  if (phase === "hashing") return { words: `hashing, ${percent(done, size)}`, part: done };
  if (phase === "sending") return { words: `sending, ${percent(done, size)}`, part: done };
  if (phase === "completing") return { words: "proving its hash", part: size };
  if (phase === "broken" && push === null) return { words: "not finished", part: done };
  return { words: "sent", part: size };
}
