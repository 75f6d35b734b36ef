// An answer and what it took.
import { Alert, Badge, Group, Loader, Text, Tooltip } from "@mantine/core";
import { Copy } from "../../parts/Copy";
import { count, millis, rate } from "../../parts/format";
import { Words } from "../../parts/Words";
import type { Answer } from "./stream";
import classes from "./playground.module.css";

export function AnswerView({ answer }: { answer: Answer }) {
  const open = answer.state === "waiting" || answer.state === "writing";
  return (
    <article aria-busy={open}>
      {answer.state === "waiting" && (
        <Loader size="xs" type="dots" aria-label="Waiting for the first token" />
      )}
      <div className={classes.text}>{answer.text}</div>
      {answer.state === "done" && answer.text === "" && (
        <Text size="sm" c="dimmed">
          The answer is empty.
        </Text>
      )}
      {answer.state === "stopped" && answer.model === null && (
        <Text size="sm" c="dimmed">
          Stopped before the first token.
        </Text>
      )}
      {answer.error !== null && (
        <Alert color="red" role="alert" p="xs" mt={4}>
          <Words text={answer.error} />
        </Alert>
      )}
      {answer.model !== null && <Facts answer={answer} />}
    </article>
  );
}

function Facts({ answer }: { answer: Answer }) {
  const { model, digest, ttftMs, tokensPerS, promptTokens, cachedTokens, outputTokens } = answer;
  const cached = cachedTokens ? `, ${count(cachedTokens)} cached` : "";
  return (
    <>
      <Group gap={6} mt={6}>
        <Badge
          variant="default"
          size="sm"
          tt="none"
          className="mono"
          aria-label={`Answered by ${model ?? ""}`}
        >
          {model}
        </Badge>
        {digest !== null && <Digest digest={digest} />}
        {endOf(answer)}
      </Group>
      <div className={`${classes.facts} num`}>
        <Tooltip label="Time to first token, seen from this browser">
          <span>TTFT {millis(ttftMs)}</span>
        </Tooltip>
        <Tooltip label="After the first token; unknown when all of it arrived at once">
          <span>{tokensPerS === null ? "–" : rate(tokensPerS)} tokens/s</span>
        </Tooltip>
        <span>
          {promptTokens === null ? "–" : count(promptTokens)} in{cached}
        </span>
        <span>{count(outputTokens)} out</span>
      </div>
    </>
  );
}

function Digest({ digest }: { digest: string }) {
  const short = digest.replace("sha256:", "").slice(0, 8);
  return (
    <Group gap={0} wrap="nowrap">
      <Tooltip label={digest}>
        <Text size="xs" c="dimmed" className="mono">
          {short}
        </Text>
      </Tooltip>
      <Copy text={digest} label="Copy the adapter's digest" />
    </Group>
  );
}

function endOf({ state, finish }: Answer) {
  if (state === "stopped")
    return (
      <Text size="xs" c="dimmed">
        stopped
      </Text>
    );
  if (finish === "length")
    return (
      <Text size="xs" c="dimmed">
        cut at max tokens
      </Text>
    );
  return null;
}
